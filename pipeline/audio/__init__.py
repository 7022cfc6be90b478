"""Sound: which videos have one worth describing, and its embedding (Section 4.1)."""
