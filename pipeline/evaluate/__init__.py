"""Testing a model: multi-view predictions, metrics with intervals, and reference rankings."""
