"""Mean average precision, top-1 and top-5, with bootstrap intervals (Section 4.1)."""
