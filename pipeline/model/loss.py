"""The training losses: binary cross-entropy (Section 4.1), the M-MiT baseline's, and later ones.

Shape suffixes: B batch, N actions.
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0  # Lin et al. 2017, Section 5
ASL_POSITIVE, ASL_NEGATIVE, ASL_MARGIN = 1.0, 4.0, 0.05  # Ridnik et al. 2021; the defaults of the published code


def bce(logits_BN: Tensor, targets_BN: Tensor) -> Tensor:
    """Binary cross-entropy of sigmoids, the mean over videos and actions."""
    return F.binary_cross_entropy_with_logits(logits_BN, targets_BN.to(logits_BN.dtype))


def focal(logits_BN: Tensor, targets_BN: Tensor) -> Tensor:
    """Focal loss (Lin et al. 2017), the mean over videos and actions: well classified examples have low weight.

    -0.25 (1 - p)^2 log p  of a positive,  -0.75 p^2 log(1 - p)  of a negative
    """
    z_BN, positive_BN = _float(logits_BN), targets_BN.bool()
    sign_BN = torch.where(positive_BN, 1.0, -1.0).to(z_BN)
    alpha_BN = torch.where(positive_BN, FOCAL_ALPHA, 1 - FOCAL_ALPHA).to(z_BN)
    return -(alpha_BN * (-sign_BN * z_BN).sigmoid() ** FOCAL_GAMMA * F.logsigmoid(sign_BN * z_BN)).mean()


def asl(logits_BN: Tensor, targets_BN: Tensor) -> Tensor:
    """Asymmetric loss (Ridnik et al. 2021), the mean over videos and actions: easy negatives weigh least, then nothing.

        -(1 - p) log p  of a positive,  -q^4 log(1 - q)  of a negative, where q = max(p - 0.05, 0)

    The published code sums where this takes the mean; `train.loss_scale` tells the two apart.
    """
    z_BN, positive_BN = _float(logits_BN), targets_BN.bool()
    p_BN = z_BN.sigmoid()
    q_BN = (p_BN - ASL_MARGIN).clamp(min=0)
    positives_BN = (1 - p_BN) ** ASL_POSITIVE * F.logsigmoid(z_BN)
    negatives_BN = q_BN**ASL_NEGATIVE * (-q_BN).log1p()
    return -torch.where(positive_BN, positives_BN, negatives_BN).mean()


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"bce": bce, "focal": focal, "asl": asl}
"""Those that need logits and targets alone, by `train.loss`."""


def wlsep(logits_BN: Tensor, targets_BN: Tensor, weights_N: Tensor, positives: Tensor | None = None) -> Tensor:
    """Weighted log-sum-exp pairwise loss (Monfort et al. 2019; the form of the code they published).

    Each positive action p of a video should score above all its negatives n:

        w_p log(1 + sum_n exp(s_n - s_p)),  the mean over all positives of the batch

    The sum over n is the same for each p of a video, so no N x N pairs are formed. A batch without positives
    costs nothing.

    Args:
        logits_BN: scores s, of any size.
        targets_BN: True where an action is the video's.
        weights_N: w, one an action (`balance`).
        positives: what the sum over positives is divided by, where that is not their number in this batch: processes
            that share a batch divide by the mean of their numbers, so that the mean of their losses is the batch's.
    """
    positive_BN = targets_BN.bool()
    s_BN = _float(logits_BN)
    nothing = torch.finfo(s_BN.dtype).min / 2  # finite, so that a video of positives alone has gradient 0, not NaN
    negatives_B1 = s_BN.masked_fill(positive_BN, nothing).logsumexp(1, keepdim=True)
    terms_BN = weights_N.to(s_BN) * F.softplus(negatives_B1 - s_BN)
    if positives is None:
        positives = positive_BN.sum().to(s_BN)
    return (terms_BN * positive_BN).sum() / positives.clamp(min=torch.finfo(s_BN.dtype).tiny)


def _float(logits: Tensor) -> Tensor:
    """Half-precision logits as float32, in which powers and sums of exponentials do not overflow."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def balance(counts_N: Tensor) -> Tensor:
    """Weights of `wlsep` against imbalance: the rarest action's count over each action's (the M-MiT baseline).

    Args:
        counts_N: training videos with each action; an action without any gets weight 0.
    """
    counts_N = counts_N.double()
    seen_N = counts_N > 0
    if not seen_N.any():
        return torch.zeros_like(counts_N)
    return torch.where(seen_N, counts_N[seen_N].min() / counts_N, 0.0)
