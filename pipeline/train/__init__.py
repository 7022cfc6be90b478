"""Training: data loading, the training loop, checkpoints and learning curves."""
