"""Verdicts on sound tracks, against loudness worked out by hand, and on files of every kind."""

import numpy as np
import pytest

from pipeline.audio.silence import VERDICTS, decibels, filter_silent, judge
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables


@pytest.fixture
def rules(params):
    return params.filter_silent.model_copy(update={"rule": "loudness", "peak_dbfs": -60.0, "rms_dbfs": -70.0})


@pytest.fixture
def released(rules):
    return rules.model_copy(update={"rule": "released"})


def noise(count: int = 48_000, amplitude: float = 0.5) -> np.ndarray:
    return np.random.default_rng(3).uniform(-amplitude, amplitude, count).astype(np.float32)


@pytest.mark.parametrize(("amplitude", "expected"), [(1.0, 0.0), (0.1, -20.0), (0.5, -6.0206), (0.001, -60.0)])
def test_decibels_to_full_scale(amplitude, expected):
    assert decibels(amplitude) == pytest.approx(expected, abs=1e-4)


def test_nothing_is_minus_infinity():
    assert decibels(0.0) == -np.inf


def test_a_full_scale_square_wave_is_0_dbfs_by_peak_and_by_rms(rules):
    verdict = judge(np.tile(np.float32([1, -1]), 8000), rules)
    assert verdict == ("audible", "", 1.0, 0.0, 0.0)


def test_a_sine_is_3_db_below_its_peak(rules, tone):
    verdict = judge(tone(amplitude=0.1), rules)
    assert verdict.peak_dbfs == pytest.approx(-20.0, abs=1e-3)
    assert verdict.rms_dbfs == pytest.approx(-23.0103, abs=1e-3)
    assert verdict.seconds == 3.0


@pytest.mark.parametrize("rule", ["loudness", "released"])
@pytest.mark.parametrize("count", [100, 20_000, 48_000])
def test_zeros_are_digital_silence_by_either_rule_and_of_any_length(rules, rule, count):
    verdict = judge(np.zeros(count, np.float32), rules.model_copy(update={"rule": rule}))
    assert verdict.verdict == "digital_silence"
    assert verdict.peak_dbfs == verdict.rms_dbfs == -np.inf
    assert verdict.reason == "every sample is zero"


def test_one_sample_off_zero_is_no_digital_silence(rules):
    samples = np.zeros(48_000, np.float32)
    samples[7] = 1 / 32768
    assert judge(samples, rules).verdict == "below_threshold"


@pytest.mark.parametrize(("amplitude", "expected"), [(0.00099, "below_threshold"), (0.00101, "audible")])
def test_the_peak_threshold(rules, tone, amplitude, expected):
    """-60 dBFS is an amplitude of 0.001."""
    verdict = judge(tone(amplitude=amplitude), rules.model_copy(update={"rms_dbfs": -200.0}))
    assert verdict.verdict == expected
    assert ("peak" in verdict.reason) == (expected == "below_threshold")


@pytest.mark.parametrize(("amplitude", "expected"), [(0.00099, "below_threshold"), (0.00101, "audible")])
def test_the_rms_threshold(rules, amplitude, expected):
    """A square wave's RMS is its amplitude."""
    samples = np.tile(np.float32([amplitude, -amplitude]), 8000)
    verdict = judge(samples, rules.model_copy(update={"peak_dbfs": -200.0, "rms_dbfs": -60.0}))
    assert verdict.verdict == expected
    assert ("RMS" in verdict.reason) == (expected == "below_threshold")


def test_a_lone_click_passes_by_peak_and_fails_by_rms(rules):
    samples = np.zeros(48_000, np.float32)
    samples[1000] = 0.01
    verdict = judge(samples, rules)
    assert verdict.verdict == "below_threshold"
    assert "RMS of -86.8 dBFS is below -70" in verdict.reason  # -40 - 10 log10(48000)


def test_samples_above_full_scale_are_counted_as_they_are(rules):
    assert judge(np.full(100, 2.0, np.float32), rules).peak_dbfs == pytest.approx(6.0206, abs=1e-4)


def test_released_rule_keeps_what_changes(released):
    assert judge(noise(), released)[:2] == ("audible", "")


def repeated(start: int, period: int) -> np.ndarray:
    """Noise in which the patch at `start` comes again `period` samples later; patches start every 15,360."""
    samples = noise()
    for at in range(start + period, start + period + 15_600):
        samples[at] = samples[at - period]
    return samples


@pytest.mark.parametrize(("start", "period", "which"), [(0, 1, "1 and 2"), (1, 1, "2 and 3"), (0, 2, "1 and 3")])
def test_released_rule_drops_any_two_equal_patches(released, start, period, which):
    verdict = judge(repeated(start * 15_360, period * 15_360), released)
    assert verdict[:2] == ("below_threshold", f"released rule: log-mel patches {which} are equal")


def test_released_rule_looks_at_three_patches_alone(released):
    """Two seconds of zeros after them change nothing."""
    assert judge(np.concatenate([noise(46_320), np.zeros(32_000, np.float32)]), released).verdict == "audible"


def test_released_rule_drops_two_seconds_of_silence_that_loudness_keeps(rules, released):
    samples = np.concatenate([noise(15_000), np.zeros(33_000, np.float32)])
    assert judge(samples, rules).verdict == "audible"
    assert judge(samples, released).verdict == "below_threshold"


def test_released_rule_keeps_a_faint_sound_that_loudness_drops(rules, released):
    samples = noise(amplitude=1e-4)
    assert judge(samples, rules).verdict == "below_threshold"
    assert judge(samples, released).verdict == "audible"


def test_released_rule_hears_a_single_step_of_16_bits(released):
    samples = np.zeros(48_000, np.float32)
    samples[[100, 20_000, 40_000]] = np.float32([1, 2, 3]) / 32768
    assert judge(samples, released).verdict == "audible"


def test_released_rule_has_nothing_to_compare_in_one_patch(released):
    assert judge(noise(20_000), released).verdict == "audible"


def sounds(tone) -> dict[str, np.ndarray | bytes | None]:
    return {
        "a-tone": tone(),
        "b-mute": None,
        "c-zero": np.zeros(48_000, np.float32),
        "d-faint": tone(amplitude=0.0005),
        "e-broken": b"RIFF" + bytes(2000),
        "f-noise": noise(),
    }


EXPECTED = ["audible", "no_audio_stream", "digital_silence", "below_threshold", "undecodable", "audible"]


def test_the_table_gives_every_video_its_verdict(params, rules, on_one_worker, videos_of, tone, tmp_path):
    videos, target = videos_of(sounds(tone)), tmp_path / "verdicts.parquet"
    allowing = rules.model_copy(update={"max_failure_rate": 0.2, "shard_size": 4})
    counts = filter_silent(videos, target, root=tmp_path, rules=allowing, media=params.media, execution=on_one_worker)
    assert counts == {name: EXPECTED.count(name) for name in VERDICTS}
    table = tables.read("verdicts", target)
    assert table["video_id"].to_pylist() == list(sounds(tone))
    assert table["verdict"].to_pylist() == EXPECTED
    rows = table.to_pylist()
    assert rows[0]["peak_dbfs"] == pytest.approx(-6.02, abs=0.01)
    assert rows[0]["rms_dbfs"] == pytest.approx(-9.03, abs=0.01)
    assert [row["seconds"] for row in rows] == [3.0, 0.0, 3.0, 3.0, 0.0, 3.0]
    assert all(row["reason"] for row in rows if row["verdict"] != "audible")
    first = target.read_bytes()
    one_each = allowing.model_copy(update={"shard_size": 1})
    for how, cut in (({"workers": 2}, one_each), ({"threads": 3}, allowing)):
        target.unlink()
        execution = on_one_worker.model_copy(update=how)
        filter_silent(videos, target, root=tmp_path, rules=cut, media=params.media, execution=execution)
        assert target.read_bytes() == first


def test_too_many_undecodable_videos_stop_the_stage(params, rules, on_one_worker, videos_of, tone, tmp_path):
    videos, target = videos_of(sounds(tone)), tmp_path / "verdicts.parquet"
    strict = rules.model_copy(update={"max_failure_rate": 0.1})
    with pytest.raises(PlainError, match=r"1 of 6 videos failed \(16.67%\); filter_silent.max_failure_rate") as error:
        filter_silent(videos, target, root=tmp_path, rules=strict, media=params.media, execution=on_one_worker)
    assert "e-broken: " in str(error.value)
    assert not target.exists()


def test_a_video_that_changed_since_the_index_is_undecodable(params, rules, on_one_worker, videos_of, tone, tmp_path):
    videos, target = videos_of({"one": tone(), "two": tone(880)}), tmp_path / "verdicts.parquet"
    (tmp_path / "two.avi").write_bytes((tmp_path / "one.avi").read_bytes())
    allowing = rules.model_copy(update={"max_failure_rate": 0.5})
    filter_silent(videos, target, root=tmp_path, rules=allowing, media=params.media, execution=on_one_worker)
    rows = tables.read("verdicts", target).to_pylist()
    assert [row["verdict"] for row in rows] == ["audible", "undecodable"]
    assert "changed since `index`" in rows[1]["reason"]
