"""Read annotations and find videos: the only code that knows the layouts of data sets."""
