"""What the tests of the network share, for the matrix that it is given."""

from tests.model.conftest import _one_thread_one_seed, golden, random_graph

__all__ = ["_one_thread_one_seed", "golden", "random_graph"]  # fixtures of others, handed on
