"""What the page says of the model."""

import pytest

from pipeline.report.sections import model


def test_settings_stand_by_section_in_plain_words():
    content = {
        "actions": ["a", "b"],
        "gcn": {"layers": 2, "bias": True},
        "model": {"heads": ["visual", "text"]},
        "n": 7,
    }
    assert model.settings(content) == {
        "actions": [("number", "2")],
        "gcn": [("layers", "2"), ("bias", "True")],
        "model": [("heads", "visual, text")],
        "other": [("n", "7")],
    }


def test_untrained_is_what_the_weights_say():
    assert model.untrained({"vggish": {"trained": False}})
    assert not model.untrained({"vggish": {"trained": True}})


@pytest.mark.parametrize(
    ("heads", "head"),
    [(["visual", "audio", "text"], "audio"), (["audio_text"], "audio_text"), (["fc"], ""), (["visual", "text"], "")],
)
def test_the_head_that_rests_on_audio_forms(heads, head):
    assert model.listening({"model": {"heads": heads}}) == head
