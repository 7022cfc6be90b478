"""Files from the web: whole, checked and kept, or absent with a sentence that says why."""

from pipeline.weights.downloads.kept import Download, fetch, place_of

__all__ = ["Download", "fetch", "place_of"]
