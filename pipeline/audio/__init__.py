"""Sound: silence detection, VGGish embeddings, whitening (Section 4.1)."""
