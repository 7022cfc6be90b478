"""Training copies of videos: small JPEG frames in few large files, quick to decode."""
