"""The SavedModel that VGGish is held against has its weights, and says what it says."""

import numpy as np
import pytest

from pipeline.audio.embedders import clip_patches
from pipeline.audio.extraction import embed
from pipeline.bench import vggish
from tests.extras import needs


@pytest.mark.slow
@needs("hub")
def test_the_saved_model_embeds_as_we_do(corpus, monkeypatch):
    monkeypatch.setattr(vggish, "CLIPS", 2)
    sounds, network = vggish.samples_of(corpus), vggish.seeded_network(corpus)
    with vggish.saved_model(corpus, network.path, sounds) as peer:
        assert peer() == 2
    theirs = np.load(corpus.folder / "embeddings.npy")
    ours = embed(np.concatenate([clip_patches(sound) for sound in sounds]).astype(np.float32), network)
    np.testing.assert_allclose(theirs.reshape(-1, 128), ours, rtol=1e-3, atol=1e-3)
