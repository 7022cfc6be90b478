"""The graph of co-occurring actions, and its normalized matrix (Section 3.1)."""
