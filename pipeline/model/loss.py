"""What training minimizes: binary cross-entropy (Section 4.1), or the M-MiT baseline's loss.

Shape suffixes: B batch, N actions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def bce(logits_BN: Tensor, targets_BN: Tensor) -> Tensor:
    """Binary cross-entropy of sigmoids, the mean over videos and actions."""
    return F.binary_cross_entropy_with_logits(logits_BN, targets_BN.to(logits_BN.dtype))


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
    s_BN = logits_BN.float() if logits_BN.dtype in (torch.float16, torch.bfloat16) else logits_BN
    nothing = torch.finfo(s_BN.dtype).min / 2  # finite, so that a video of positives alone has gradient 0, not NaN
    negatives_B1 = s_BN.masked_fill(positive_BN, nothing).logsumexp(1, keepdim=True)
    terms_BN = weights_N.to(s_BN) * F.softplus(negatives_B1 - s_BN)
    if positives is None:
        positives = positive_BN.sum().to(s_BN)
    return (terms_BN * positive_BN).sum() / positives.clamp(min=torch.finfo(s_BN.dtype).tiny)


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
