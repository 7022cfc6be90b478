"""Download files: complete, verified and cached."""

from pipeline.weights.downloads.kept import Download, fetch, place_of

__all__ = ["Download", "fetch", "place_of"]
