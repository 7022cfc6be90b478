"""Testing a model: views of a video, predictions, metrics, their intervals, and what they are held against."""
