"""Fold a model for inference: compute once what does not depend on the clip.

The audio and text relations are the same for every video, so their sum is one N x C matrix, as if it were a fully
connected layer's. Of the visual GCN's graph only A^'s row sums and column means are needed (`gcn_fast`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.model import gcn_fast
from pipeline.model.gcn import Gcn
from pipeline.model.heads import CrossHead, JointHead, LexiconHead, LexiconTokens, VisualHead
from pipeline.model.model import MultiActionModel


@torch.no_grad()
def fold(model: MultiActionModel) -> MultiActionModel:
    """The same model for inference, with a smaller head; the backbone is shared. Both are set to evaluation."""
    model.eval()
    folded = MultiActionModel(model.backbone, model.pooling, _folded(model.head), model.sound)
    folded.mixed_precision = model.mixed_precision
    return folded.eval()


class FoldedHead(nn.Module):
    """A sum of parts: one matrix for all lexicons, and what the visual learner needs."""

    def __init__(self, parts: list[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, features_BC: Tensor) -> Tensor:
        """Logits, B x N."""
        return torch.stack([part(features_BC) for part in self.parts]).sum(0)


class FoldedVisual(nn.Module):
    """`gcn_fast.shared_feature_gcn` as a plain sum over nodes, which exchange formats can express."""

    row_sums: Tensor
    column_means: Tensor

    def __init__(self, gcn: Gcn, adjacency_NN: Tensor) -> None:
        super().__init__()
        self.gcn = gcn
        self.register_buffer("row_sums", adjacency_NN.sum(1))
        self.register_buffer("column_means", adjacency_NN.mean(0))

    def forward(self, features_BC: Tensor) -> Tensor:
        """Logits, B x N: [sum_i c_i sigma(r_i u + b(0))] W(1) + b(1)."""
        W, b = self.gcn.weights, self.gcn.biases
        messages_BHN = (features_BC @ W[0])[:, :, None] * self.row_sums
        if b:
            messages_BHN = messages_BHN + b[0][:, None]
        Z_BN: Tensor = F.leaky_relu(messages_BHN, self.gcn.slope) @ self.column_means @ W[1]
        return Z_BN + b[1] if b else Z_BN


class Unfolded(nn.Module):
    """A learner with its graph that cannot be folded."""

    adjacency: Tensor

    def __init__(self, learner: nn.Module, adjacency_NN: Tensor) -> None:
        super().__init__()
        self.learner = learner
        self.register_buffer("adjacency", adjacency_NN)

    def forward(self, features_BC: Tensor) -> Tensor:
        """Logits, B x N."""
        logits_BN: Tensor = self.learner(features_BC, self.adjacency)
        return logits_BN


def _folded(head: nn.Module) -> nn.Module:
    if isinstance(head, JointHead):
        learners, A = list(head.learners.values()), head.adjacency
        matrices = [learner.matrix(A) for learner in learners if isinstance(learner, LexiconHead)]
        lexical = [_linear(torch.stack(matrices).sum(0))] if matrices else []
        return FoldedHead(
            lexical + [_other(learner, A) for learner in learners if not isinstance(learner, LexiconHead)]
        )
    if isinstance(head, CrossHead) and all(isinstance(learner, LexiconTokens) for learner in head.learners.values()):
        any_video = head.fusion.fc.weight.new_zeros(1, head.fusion.fc.out_features)
        return FoldedHead([_linear(head.classifiers(any_video)[0])])
    return head


def _linear(matrix_NC: Tensor) -> nn.Module:
    layer = nn.Linear(matrix_NC.shape[1], matrix_NC.shape[0], bias=False)
    layer.weight = nn.Parameter(matrix_NC)
    return layer


def _other(learner: nn.Module, adjacency_NN: Tensor) -> nn.Module:
    if isinstance(learner, VisualHead) and isinstance(learner.relation, Gcn) and gcn_fast.holds(learner.relation):
        return FoldedVisual(learner.relation, adjacency_NN)
    return Unfolded(learner, adjacency_NN)
