"""From pictures to what a model takes."""

from torch import Tensor

from pipeline.foundations.params import Frames


def as_clips(pictures_BTYXC: Tensor, frames: Frames) -> Tensor:
    """Pictures, uint8 B x T x Y x X x 3, as a model takes clips: float, normalized, B x 3 x T x Y x X.

    The channels stay innermost in memory, which is `torch.channels_last_3d`.
    """
    clips_BCTYX = pictures_BTYXC.permute(0, 4, 1, 2, 3).float()
    return (clips_BCTYX / 255.0 - frames.mean) / frames.std
