"""The pictures of the report, each from arrays to inline SVG."""
