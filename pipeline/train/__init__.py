"""Training: the loop, what it is fed, and what it leaves behind."""
