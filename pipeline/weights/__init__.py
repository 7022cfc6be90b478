"""Pretrained weights and word vectors, fetched to local, hashed files."""
