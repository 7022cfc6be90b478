"""Where a number came from, and whether it is still what it was."""
