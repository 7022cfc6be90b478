"""What the page says of the model."""

from pipeline.report.sections import model


def test_settings_are_flat_and_plain():
    content = {
        "actions": ["a", "b"],
        "gcn": {"layers": 2, "bias": True},
        "model": {"heads": ["visual", "text"]},
        "n": "x",
    }
    assert model.settings(content) == [
        ("actions", "number", "2"),
        ("gcn", "layers", "2"),
        ("gcn", "bias", "True"),
        ("model", "heads", "visual, text"),
        ("model", "n", "x"),
    ]


def test_untrained_is_what_the_weights_say():
    assert model.untrained({"vggish": {"trained": False}})
    assert not model.untrained({"vggish": {"trained": True}})
