"""What the page says of the model."""

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
