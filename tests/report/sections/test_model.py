"""What the page says of the model."""

from pipeline.report.sections import model


def test_settings_stand_by_section_in_plain_words():
    content = {
        "actions": ["a", "b"],
        "design": {"gcn": {"layers": 2, "bias": True}, "model": {"heads": ["visual", "text"]}},
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


def of(*heads, control="none", late_fusion=False):
    return {"design": {"model": {"heads": list(heads), "control": control, "late_fusion": late_fusion}}}


def test_what_rests_on_vggish():
    assert model.vggish_parts(of("visual", "audio", "text")) == ["audio head"]
    assert model.vggish_parts(of("audio_text")) == ["audio_text head"]
    assert model.vggish_parts(of("visual", "text")) == model.vggish_parts(of("fc")) == []
    assert model.vggish_parts(of("audio", control="no_edges")) == ["audio head"]
    assert model.vggish_parts(of("audio", control="free_matrix")) == []  # it has no forms
    assert model.vggish_parts(of("fc", late_fusion=True)) == ["late fusion"]
    assert model.vggish_parts(of("audio", late_fusion=True)) == ["audio head", "late fusion"]


def test_what_was_trained_is_named_with_its_control():
    assert model.learners(of("visual", "text")) == "visual + text"
    assert model.learners(of("fc", late_fusion=True)) == "fc + late fusion"
    assert model.learners(of("audio", "text", control="free_matrix")) == "audio + text (control: free_matrix)"
