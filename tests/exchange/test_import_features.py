import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.dataset.imported import read
from pipeline.exchange.feature_folder import silence, write_folder
from pipeline.exchange.import_features import Choice, import_features, read_vocabulary, statistics
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.features import FeatureFolder, dequantized
from tests.exchange.records import example, framed
from tests.features import ACTIONS, BYTES, ORIGIN, SILENT, folder, items

PLAIN = Choice(vector="visual", patches=1, most=None, validate_one_in=None, seed=0)
LABELS = "index,mid,display_name\n0,/m/a,diving\n1,/m/b,\n2,/m/c,singing\n3,/m/d,diving\n"


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(LABELS, encoding="utf-8")
    return path


def arrays(videos=20, **other):
    random = np.random.default_rng(1)
    found = {
        "id": np.array([f"x{number:02d}" for number in range(videos)]),
        "visual": random.integers(0, 256, (videos, 5), dtype=np.uint8),
        "audio": random.integers(0, 256, (videos, 4, 3), dtype=np.uint8),
        "seconds": np.array([4, 2] * (videos // 2)),
        "labels": np.arange(videos) % 3,
        "label_offsets": np.arange(videos + 1),
    }
    return found | other


def opened(path):
    return FeatureFolder.open(path / "annotations", path / "features")


def test_what_is_written_is_read_again_in_the_order_of_the_ids(tmp_path):
    there = folder(tmp_path / "set", views=3)
    there.verify()
    expected = {item.video_id: item for item in items(views=3)}
    (rows,) = there.read("visual")
    assert rows.video_ids.to_pylist() == [name for name in sorted(expected) for _ in range(3)]
    assert rows.views.tolist() == [0, 1, 2] * len(expected)
    for row, (name, view) in enumerate(zip(rows.video_ids.to_pylist(), rows.views.tolist(), strict=True)):
        np.testing.assert_array_equal(rows.stored[row], expected[name].vectors[view])
    np.testing.assert_array_equal(rows.values, dequantized(rows.stored, BYTES))
    (sounds,) = there.read("sound")
    assert sounds.video_ids.to_pylist() == [name for name in sorted(expected) if expected[name].form is not None]
    assert there.manifest.sound.silence == tuple(SILENT)


def test_the_labels_of_a_folder_are_annotations(tmp_path):
    folder(tmp_path / "set")
    found = read(tmp_path / "set" / "annotations")
    assert found.actions == ACTIONS
    by_id = {item.video_id: item for item in items()}
    assert [video.video_id for video in found.videos] == sorted(by_id)
    for video in found.videos:
        assert video.split == by_id[video.video_id].split
        assert {ACTIONS[action] for action in video.actions} == set(by_id[video.video_id].labels)


def test_the_same_videos_in_another_order_give_the_same_files(tmp_path):
    first = write_folder(tmp_path / "a", items(), ACTIONS, ORIGIN)
    assert write_folder(tmp_path / "b", reversed(items()), ACTIONS, ORIGIN) == first


def test_arrays_become_a_folder(tmp_path, labels):
    given = arrays()
    np.savez(tmp_path / "a.npz", **given)
    made = import_features(tmp_path / "set", {"train": [tmp_path / "a.npz"]}, labels, PLAIN._replace(patches=3), ORIGIN)
    assert (made.visual.size, made.sound.size) == (5, 9)
    (rows,), (sounds,) = opened(tmp_path / "set").read("visual"), opened(tmp_path / "set").read("sound")
    np.testing.assert_array_equal(rows.stored, given["visual"])
    assert sounds.video_ids.to_pylist() == given["id"][::2].tolist()  # the others have two seconds
    np.testing.assert_array_equal(sounds.stored, given["audio"][::2, :3].reshape(10, 9))


def test_safetensors_have_their_names_as_rows_of_bytes(tmp_path, labels):
    given = arrays()
    names = np.array([list(name.encode()) for name in given.pop("id").tolist()], np.uint8)
    save_file(given | {"id": names}, tmp_path / "a.safetensors")
    import_features(tmp_path / "set", {"train": [tmp_path / "a.safetensors"]}, labels, PLAIN, ORIGIN)
    (rows,) = opened(tmp_path / "set").read("visual")
    assert rows.video_ids.to_pylist() == arrays()["id"].tolist()
    np.testing.assert_array_equal(rows.stored, given["visual"])


def test_records_become_a_folder_of_any_width_and_vocabulary(tmp_path, labels):
    random = np.random.default_rng(0)
    vectors = random.standard_normal((6, 7)).astype(np.float32)
    records = [
        example({"id": [b"r%d" % n], "labels": np.array([n % 2 * 2]), "mean_rgb": v, "mean_audio": v[:2]})
        for n, v in enumerate(vectors)
    ]
    (tmp_path / "a.tfrecord").write_bytes(b"".join(framed(record) for record in records))
    made = import_features(tmp_path / "set", {"train": [tmp_path / "a.tfrecord"]}, labels, PLAIN, ORIGIN)
    assert (made.visual.size, made.visual.quantization, made.sound.size) == (7, None, 2)
    (rows,) = opened(tmp_path / "set").read("visual")
    np.testing.assert_array_equal(rows.values, vectors)


def test_the_videos_own_sound_stands_for_x_where_that_is_asked_for(tmp_path, labels):
    np.savez(tmp_path / "a.npz", **arrays())
    choice, origin = PLAIN._replace(vector="sound"), ORIGIN._replace(of_sound=True)
    made = import_features(tmp_path / "set", {"train": [tmp_path / "a.npz"]}, labels, choice, origin)
    assert (made.visual.of_sound, made.visual.size) == (True, 9)
    (rows,) = opened(tmp_path / "set").read("visual")
    heard = dequantized(arrays()["audio"][1, :2], BYTES).astype(np.float64)
    by_hand = [*heard.mean(0), *np.sqrt(((heard - heard.mean(0)) ** 2).mean(0)), *heard.max(0)]
    np.testing.assert_allclose(rows.values[1], by_hand, atol=1e-3)  # kept as float16
    np.testing.assert_array_equal(statistics(arrays()["audio"][1, :2], BYTES), rows.stored[1])


def test_x_is_standardized_over_the_training_videos_alone(tmp_path):
    there = folder(tmp_path / "set", ORIGIN._replace(standardize=True, constant=1.0))
    (rows,) = there.read("visual")
    train = np.array([int(name[1:]) < 30 for name in rows.video_ids.to_pylist()])
    assert rows.values.shape[1] == there.manifest.features == 5
    np.testing.assert_array_equal(rows.values[:, -1], 1.0)
    np.testing.assert_allclose(rows.values[train, :-1].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(rows.values[train, :-1].std(axis=0), 4**-0.25, rtol=1e-4)
    assert abs(rows.values[~train, :-1].mean(axis=0)).max() > 1e-3


def test_the_most_frequent_labels_are_kept_and_one_in_so_many_validates(tmp_path, labels):
    np.savez(tmp_path / "a.npz", **arrays(200, labels=np.where(np.arange(200) % 4, 2, 0)))
    choice = PLAIN._replace(most=1, validate_one_in=5)
    import_features(tmp_path / "set", {"train": [tmp_path / "a.npz"]}, labels, choice, ORIGIN)
    found = read(tmp_path / "set" / "annotations")
    assert found.actions == ("singing",)
    assert len(found.videos) == 150
    assert 15 <= sum(video.split == "val" for video in found.videos) <= 50


def test_names_that_are_missing_or_taken_are_told_apart(labels, tmp_path):
    assert read_vocabulary(labels) == {0: "diving", 1: "unnamed /m/b", 2: "singing", 3: "diving (3)"}
    (tmp_path / "plain.txt").write_text("a b\nc\n")
    assert read_vocabulary(tmp_path / "plain.txt") == {0: "a b", 1: "c"}


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"label_offsets": np.array([0, 5, 3])}, "do not rise"),
        ({"labels": np.full(20, 9)}, "the label 9"),
        ({"visual": np.zeros((19, 5), np.uint8)}, "19 rows of visual"),
        ({"visual": np.full((20, 5), np.nan, np.float32)}, "not finite"),
        ({"visual": np.zeros((20, 5), np.int64)}, "uint8, float16 or float32"),
        ({"id": np.array(["same"] * 20)}, "same twice"),
        ({"id": np.array([{}] * 20, dtype=object)}, "cannot be read as arrays"),
    ],
)
def test_arrays_that_do_not_fit_are_a_plain_error(tmp_path, labels, other, sentence):
    np.savez(tmp_path / "a.npz", **arrays(**other))
    with pytest.raises(PlainError, match=sentence):
        import_features(tmp_path / "set", {"train": [tmp_path / "a.npz"]}, labels, PLAIN, ORIGIN)
    assert not (tmp_path / "set").exists()


def test_silence_is_what_many_share_to_the_last_bit():
    random = np.random.default_rng(0)
    forms = random.integers(0, 256, (3000, 16), dtype=np.uint8)
    assert silence(forms) is None
    forms[::200] = forms[7]
    assert silence(forms) == tuple(float(number) for number in forms[7])
    forms[::200] = random.integers(0, 256, (15, 16), dtype=np.uint8)
    assert silence(forms) is None
