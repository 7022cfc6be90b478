"""The content of each section of the page, from the run's tables."""
