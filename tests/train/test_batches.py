import time

import pytest
import torch

from pipeline.clips.packs import Packs
from pipeline.foundations.runtime.loader import at_once, batch_bytes
from pipeline.train.batches import in_order, load, shuffled
from pipeline.train.data import open_examples
from pipeline.train.views import random_view
from tests.train.memory import held

CPU = torch.device("cpu")


def rows(batches):
    return [pick.row for batch in batches for pick in batch]


def test_an_epoch_takes_each_video_once_in_whole_batches():
    batches = shuffled(11, 4, seed=0, purpose="train", epoch=3)
    assert [len(batch) for batch in batches] == [4, 4]
    assert len(set(rows(batches))) == 8
    assert {pick.epoch for batch in batches for pick in batch} == {3}


def test_the_order_is_named_by_seed_purpose_and_epoch():
    first = rows(shuffled(50, 5, seed=0, purpose="train", epoch=0))
    assert first == rows(shuffled(50, 5, seed=0, purpose="train", epoch=0))
    others = [{"seed": 1, "purpose": "train", "epoch": 0}, {"seed": 0, "purpose": "train", "epoch": 1},
              {"seed": 0, "purpose": "precise_bn", "epoch": 0}]  # fmt: skip
    for other in others:
        assert first != rows(shuffled(50, 5, **other))


def test_what_is_left_out_differs_from_epoch_to_epoch():
    seen = [set(rows(shuffled(10, 9, seed=0, purpose="train", epoch=epoch))) for epoch in range(20)]
    assert len({frozenset(set(range(10)) - videos) for videos in seen}) > 3


def test_too_few_videos_make_no_batch():
    assert shuffled(3, 4, seed=0, purpose="train", epoch=0) == []


def test_in_order_holds_each_video_once():
    assert rows(in_order(7, 3)) == list(range(7))
    assert [len(batch) for batch in in_order(7, 3)] == [3, 3, 1]


@pytest.fixture
def examples(miniature, small):
    def choose(size, video_id, epoch):
        return random_view(size, video_id, epoch, seed=5, purpose="train", frames=small.frames, train=small.train)

    videos = miniature.inputs
    return open_examples(videos.train, Packs(videos.clips), actions=3, choose=choose, train=small.train)


def test_what_is_loaded_does_not_depend_on_the_number_of_loader_processes(examples):
    batches = shuffled(len(examples), 4, seed=0, purpose="train", epoch=1)
    made = {workers: list(load(examples, batches, workers=workers, device=CPU)) for workers in (0, 1, 2)}
    assert [batch.rows.tolist() for batch in made[0]] == [[pick.row for pick in batch] for batch in batches]
    for workers in (1, 2):
        for one, other in zip(made[0], made[workers], strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_loading_leaves_the_models_random_state_alone(examples):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    batches = shuffled(len(examples), 4, seed=0, purpose="train", epoch=0)
    assert len(list(load(examples, batches, workers=0, device=CPU))) == 3
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_has_the_bytes_that_are_foretold(examples, small):
    batch = next(load(examples, in_order(4, 4), workers=0, device=CPU))
    foretold = batch_bytes(small.train.model_copy(update={"batch": 4}), small.frames, actions=3)
    assert sum(tensor.nbytes for tensor in batch) == foretold


@pytest.mark.parametrize("workers", [1, 2])
def test_as_many_batches_exist_at_once_as_is_foretold(examples, workers):
    """Each keeps three tensors in memory that processes share: pictures, targets and rows."""
    made = load(examples, in_order(12, 1), workers=workers, device=CPU)
    batch = next(made)
    deadline = time.monotonic() + 60
    while len(held()) < 3 * (at_once(workers) - 1) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(held()) == 3 * (at_once(workers) - 1)  # the next arrives while this one is still held
    for batch in made:
        assert batch.rows.numel() == 1
        assert len(held()) < 3 * at_once(workers)
