"""What is said of parameters and videos that do not fit, before a stage is run for it."""

from pipeline.dataset.annotations import Annotations, Video
from pipeline.dataset.splits import training_of
from pipeline.foundations.params.foresight import Training, downloads, drawn_at_most, foresee

ACTIONS = ("singing", "hitting/colliding")


def training(*paths: str) -> Training:
    return training_of(
        Annotations(ACTIONS, tuple(Video(path.removesuffix(".mp4"), path, "train", (0,)) for path in paths))
    )


def changed(params, section: str, **values):
    return params.model_copy(update={section: getattr(params, section).model_copy(update=values)})


def test_folders_that_name_no_action_stop_a_draw_by_folder(params):
    videos = training("singing/a.mp4", "colliding/b.mp4", "x/c.mp4", "d.mp4")
    assert videos.strange == ("x/c.mp4", "d.mp4")
    (first, *_) = foresee(videos, params)
    assert first.stops
    assert "the first folder of 2 training videos, such as 'x/c.mp4', names no action" in first.sentence
    assert all("folder" not in each.sentence for each in foresee(videos, changed(params, "split_mini", draw="all")))


def test_fewer_videos_than_a_batch_stop_training(params):
    few = training(*(f"singing/{n}.mp4" for n in range(31)))
    (found,) = foresee(few, params)
    assert found.stops
    assert found.sentence == "train.batch is 32, but there are only 31 training videos"


def test_few_steps_from_a_seed_are_told_and_those_of_the_sample_are_not(params):
    videos = training(*(f"singing/{n}.mp4" for n in range(96)))
    (found,) = foresee(videos, params)
    assert not found.stops
    assert found.sentence.startswith(
        "24 epochs of 96 videos in batches of 32 are 72 steps, few for a model that starts"
    )
    assert list(foresee(videos, changed(params, "backbone", weights="a.safetensors"))) == []
    assert (
        list(foresee(training(*(f"singing/{n}.mp4" for n in range(420))), changed(params, "split_mini", draw="all")))
        == []
    )


def test_what_the_draw_lets_through(params):
    videos = Training(videos=7, folders={"a": 5, "b": 2}, labels={0: 5, 1: 2, 2: 2}, strange=())
    for draw, expected in (("folder", (2, 3 + 2)), ("label", (3, 7)), ("all", (1, 7))):
        assert drawn_at_most(videos, params.split_mini.model_copy(update={"draw": draw, "per_action": 3})) == expected


def test_a_frozen_backbone_without_weights_is_told(params):
    videos = training(*(f"singing/{n}.mp4" for n in range(96)))
    frozen = changed(params, "train", freeze_backbone=True)
    (found,) = foresee(videos, frozen)
    assert not found.stops
    assert found.sentence.startswith("train.freeze_backbone keeps the 3D-CNN as it comes")
    assert list(foresee(videos, changed(frozen, "backbone", weights="a.safetensors"))) == []


def test_the_sample_asks_no_host_and_what_is_downloaded_is_known_by_its_parameter(params):
    assert downloads(params) == {}
    there = changed(params, "vggish", source="hub", handle="https://tfhub.dev/google/vggish/1")
    there = changed(changed(there, "words", source="gensim"), "backbone", weights="https://host.invalid/a.pth#sha256=0")
    assert downloads(there) == {
        "vggish.handle": "https://tfhub.dev/google/vggish/1",
        "words.name": "https://github.com/piskvorky/gensim-data",
        "backbone.weights": "https://host.invalid/a.pth",
    }
    assert (
        downloads(changed(changed(params, "vggish", source="hub", handle="folder"), "backbone", weights="a.pth")) == {}
    )
