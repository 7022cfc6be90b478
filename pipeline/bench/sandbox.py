"""What the sandbox of the decoding process costs a clip: beside the same process, which never enters it."""

from pipeline.audio.tracks import read_track
from pipeline.bench.corpus import Corpus, on_cores, track
from pipeline.bench.measure import by_rate, cores, rates
from pipeline.foundations.media import unchanged
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.media.sound import Sound
from pipeline.report.bench_rows import Row, row

REPEATS = 9


class Open(Guard):
    """A guard whose process decodes without a sandbox: clips of the benchmarks, which we rendered, alone."""

    program = "pipeline.bench.open_child"


def sandboxed(corpus: Corpus) -> list[Row]:
    """Sound tracks to 16 kHz mono on one core, each a call of the decoding process, with its sandbox and without."""
    media = corpus.params.media
    videos = [unchanged.recorded(track(clip)) for clip in corpus.sounding]
    with Guard(media) as closed, Open(media) as open_, cores(1):

        def read(guard: Guard) -> int:
            return sum(isinstance(guard.call(unchanged.read, video, read_track, media), Sound) for video in videos)

        found = rates({"ours": lambda: read(closed), "theirs": lambda: read(open_)}, repeats=REPEATS)
        lacking = closed.sandbox_status().lacking()
    return [
        row(
            "sandbox",
            by_rate(found, theirs="theirs"),
            device=on_cores(1),
            what="sound track of a 3 s clip to 16 kHz mono, in the sandboxed decoding process",
            peer="the same process without its sandbox",
            unit="clips/s",
            bound="at least",
            target=0.97,
            note="; ".join(lacking),
        )
    ]
