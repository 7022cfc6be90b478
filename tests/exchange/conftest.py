"""What the tests of the network and of testing share, for models on their way in and out."""

from tests.evaluate.conftest import evaluate, execution, model_folder, video_of
from tests.model.conftest import _one_thread_one_seed, design_with, exported_fc, make_model, random_graph

__all__ = [
    "_one_thread_one_seed",
    "design_with",
    "evaluate",
    "execution",
    "exported_fc",
    "make_model",
    "model_folder",
    "random_graph",
    "video_of",
]  # fixtures of others, handed on
