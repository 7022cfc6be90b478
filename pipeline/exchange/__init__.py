"""Import and export of models, published files and features; prediction for new videos."""
