"""The report's figures, from arrays to inline SVG."""
