"""The network: backbones, relation learners, their joint model. Tensors in, tensors out."""
