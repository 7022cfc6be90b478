"""Findings about one video file; neither stops a stage."""

from pipeline.foundations.runtime.errors import PlainError


class NoAudioStream(PlainError):  # noqa: N818  a finding, named as its verdict
    """The file is intact and has no audio stream."""

    def __init__(self, reason: str = "no audio stream") -> None:  # an argument, so that it can be pickled
        super().__init__(reason)


class Undecodable(PlainError):  # noqa: N818
    """The file cannot be decoded, or not within the bounds of `params.Media`.

    The message is the reason as it stands in the tables of verdicts and exclusions. It names no path, since the
    row names the video.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


Finding = NoAudioStream | Undecodable
"""Either of them, in the place of a decoded video."""
