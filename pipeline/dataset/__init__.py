"""Annotations and videos in: the only place that knows how a data set is laid out."""
