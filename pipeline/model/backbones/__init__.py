"""3D-CNNs, and how their last map is pooled."""
