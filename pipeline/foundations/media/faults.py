"""What can be wrong with a video: two findings about one file, never a reason to stop a stage."""

from pipeline.foundations.runtime.errors import PlainError


class NoAudioStream(PlainError):  # noqa: N818  a finding, named as its verdict
    """The file is in order and holds no sound track."""

    def __init__(self, reason: str = "no audio stream") -> None:  # an argument, so that it travels between processes
        super().__init__(reason)


class Undecodable(PlainError):  # noqa: N818
    """The file cannot be decoded, or not within the bounds of `params.Media`.

    The message is the reason as it stands in the tables of verdicts and exclusions. It names no path, since the
    row names the video.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


Finding = NoAudioStream | Undecodable
"""Either, where it stands for what a video should have given."""
