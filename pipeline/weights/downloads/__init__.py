"""Downloads: complete, verified and cached, or an error that says why not."""

from pipeline.weights.downloads.kept import Download, fetch, place_of

__all__ = ["Download", "fetch", "place_of"]
