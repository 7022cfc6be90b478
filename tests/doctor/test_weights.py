"""Weights: where they will come from, whether they are the files that came, and whether they are the real ones."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pipeline.audio.vggish import seeded_weights
from pipeline.doctor import weights
from pipeline.doctor.weights import DEVIATION, MEAN, action_names, check_vggish, examine_weights, judge, sine
from pipeline.foundations.runtime import files


def found(root, params):
    return {finding.subject: finding for finding in examine_weights(root, params)}


def with_(params, **sections):
    return params.model_copy(
        update={name: getattr(params, name).model_copy(update=values) for name, values in sections.items()}
    )


def fetched(root, name, content, **entry):
    """A file of models/pretrained with its record."""
    folder = root / "models/pretrained"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.bin").write_bytes(content)
    record = {"file": f"{name}.bin", "source": "somewhere", "sha256": files.sha256(folder / f"{name}.bin"),
              "bytes": len(content), "trained": True, "note": "a note"} | entry  # fmt: skip
    (folder / "weights.json").write_text(json.dumps({name: record}))


def test_before_they_are_fetched_it_is_told_where_they_will_come_from(tmp_path, params):
    real = with_(
        params,
        vggish={"source": "hub"},
        words={"source": "gensim", "name": "glove-wiki-gigaword-300"},
        backbone={"weights": "https://example.org/r2plus1d.pth#sha256=0"},
    )
    for finding in found(tmp_path, real).values():
        assert finding.colour == "yellow"
        assert finding.found.startswith("not here yet: ")
    assert "https://example.org/r2plus1d.pth" in found(tmp_path, real)["backbone"].found


def test_a_local_file_that_is_named_must_be_there(tmp_path, params):
    local = with_(params, words={"name": "glove.txt"}, backbone={"weights": "w.safetensors"})
    assert {name: finding.colour for name, finding in found(tmp_path, local).items()} == {
        "vggish": "yellow", "words": "red", "backbone": "red",
    }  # fmt: skip
    (tmp_path / "glove.txt").touch()
    assert found(tmp_path, local)["words"].colour == "green"


@pytest.mark.parametrize(("heads", "colour"), [(("visual", "text"), "red"), (("visual", "audio"), "yellow")])
def test_actions_without_a_word_vector_are_named_before_any_stage_has_run(tmp_path, params, heads, colour):
    (tmp_path / "glove.txt").write_text("singing 1 2\nkochen 3 4\n")
    own = with_(params, words={"name": "glove.txt", "size": 2}, model={"heads": heads})
    (finding,) = action_names(tmp_path, own, ["singing", "Fußball+spielen", "kochen"])
    assert finding.colour == "yellow"
    assert next(action_names(tmp_path, own, ["Fußball+spielen"])).colour == colour
    assert finding.found == "1 of 3 actions have no word with a vector, such as Fußball+spielen"
    (good,) = action_names(tmp_path, own, ["singing", "kochen"])
    assert good.colour == "green"


def test_of_vectors_that_are_still_to_come_nothing_is_said(tmp_path, params):
    assert list(action_names(tmp_path, with_(params, words={"source": "gensim"}), ["singing"])) == []


def test_untrained_sound_is_yellow_unless_nothing_hears(tmp_path, params):
    assert found(tmp_path, params)["vggish"].advice == "vggish.source: hub, then dvc repro"
    deaf = with_(params, model={"heads": ("visual", "text")})
    assert found(tmp_path, deaf)["vggish"].colour == "green"
    fetched(tmp_path, "vggish", b"x", trained=False, source="seed 7")
    assert found(tmp_path, params)["vggish"].colour == "yellow"
    assert found(tmp_path, params)["vggish"].found == "untrained, from seed 7; scores that use sound mean nothing"


def test_a_file_that_changed_or_went_is_red(tmp_path, params):
    fetched(tmp_path, "words", b"content")
    assert found(tmp_path, params)["words"].found == "a note, from somewhere"
    path = tmp_path / "models/pretrained/words.bin"
    path.write_bytes(b"changed")
    assert found(tmp_path, params)["words"].colour == "red"
    assert "not the file that was fetched from somewhere" in found(tmp_path, params)["words"].found
    path.unlink()
    assert "cannot be read: No such file" in found(tmp_path, params)["words"].found


def test_a_damaged_record_is_red(tmp_path, params):
    fetched(tmp_path, "words", b"content")
    (tmp_path / "models/pretrained/weights.json").write_text("{")
    assert [(name, finding.colour) for name, finding in found(tmp_path, params).items()] == [("weights", "red")]


def test_a_file_that_is_no_network_is_red(tmp_path):
    (tmp_path / "vggish.safetensors").write_bytes(b"no tensors")
    finding = check_vggish(tmp_path / "vggish.safetensors", "hub")
    assert (finding.colour, finding.advice) == ("red", "dvc repro --force fetch_weights")


def test_the_sine_is_three_seconds_of_1_khz_at_full_scale():
    tone = sine()
    assert len(tone) == 48_000
    spectrum = np.abs(np.fft.rfft(tone))
    assert spectrum.argmax() == 3 * 1_000  # bins of 1/3 Hz
    assert tone.max() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("mean", "deviation", "colour"),
    [
        (-0.0333, 0.380, "green"),
        (-0.0333 * 1.09, 0.380 * 0.91, "green"),
        (-0.0333 * 1.11, 0.380, "red"),
        (-0.0333, 0.380 * 0.89, "red"),
        (0.0333, 0.380, "red"),
        (0.131, 0.238, "red"),  # an older network's
        (np.nan, 0.380, "red"),
    ],
)
def test_the_published_check(mean, deviation, colour):
    half = np.ones(192)
    embeddings = np.concatenate([mean + deviation * half, mean - deviation * half]).reshape(3, 128)
    finding = judge(embeddings, "hub")
    assert finding.colour == colour
    assert "published: -0.0333 and 0.380, within 10%" in finding.found


@pytest.mark.slow
def test_the_check_runs_the_network_on_the_sine(tmp_path):
    """Weights made to pass by their last layer alone, and the untrained ones that they are made from."""
    path = tmp_path / "vggish.safetensors"
    save_file(seeded_weights(0), path)
    untrained = check_vggish(path, "seed 0")
    assert untrained.colour == "red"
    mean, deviation = (float(number.rstrip(";")) for number in np.array(untrained.found.split())[[9, 13]])
    weights = load_file(path)
    weights["fc2.weight"] *= DEVIATION / deviation
    weights["fc2.bias"] += MEAN - mean * DEVIATION / deviation
    save_file(weights, path)
    assert check_vggish(path, "made").colour == "green"


def test_weights_to_come_from_a_host_that_cannot_be_reached_are_told(tmp_path, params, monkeypatch):
    monkeypatch.setattr(weights, "unreachable", lambda address: address.split("/")[2])
    words = params.words.model_copy(update={"source": "gensim", "name": "glove-wiki-gigaword-300"})
    backbone = params.backbone.model_copy(update={"weights": "https://host.invalid/a.pth#sha256=00000000"})
    changed = params.model_copy(update={"words": words, "backbone": backbone})
    found = {finding.subject: finding for finding in weights.sources(tmp_path, changed)}
    assert "github.com cannot be reached from here" in found["words"].found
    assert (
        found["backbone"].found
        == "not here yet, and host.invalid cannot be reached from here: https://host.invalid/a.pth"
    )
    assert "backbone.weights" in found["backbone"].advice
