import pickle

import pytest

from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.runtime.errors import PlainError


@pytest.mark.parametrize("fault", [NoAudioStream(), Undecodable("truncated")])
def test_a_fault_is_plain_and_survives_the_way_between_processes(fault: PlainError):
    again = pickle.loads(pickle.dumps(fault))
    assert type(again) is type(fault)
    assert str(again) == str(fault)
    assert isinstance(again, PlainError)


def test_no_audio_stream_says_so():
    assert str(NoAudioStream()) == "no audio stream"
