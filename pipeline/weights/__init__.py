"""Pretrained weights and word vectors, brought to local, hashed files."""
