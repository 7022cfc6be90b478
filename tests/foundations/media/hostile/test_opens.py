"""Every system call that opens or connects, while the corpus is read: the video itself, or nothing."""

import os
import re
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

MARK = "/mark/"  # an absent path that the child tries to open before each video, so that the log can be cut there
SCRIPT = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from pipeline.foundations.runtime.errors import PlainError
    from pipeline.foundations.media.frames import read_frames
    from pipeline.foundations.media.sound import read_sound
    from pipeline.foundations.params import load_params

    def read(path):
        for function, options in ((read_sound, {}), (read_frames, {"fps": 10.0, "short_side": 48})):
            try:
                function(path, media, **options)
            except PlainError:
                pass

    media = load_params(Path("params.yaml")).media
    folder = Path(sys.argv[1])
    for name in sorted(os.listdir(folder)) * 2:  # the first time, libraries load what they need
        Path("/mark/" + os.fsencode(name).hex()).exists()
        read(folder / name)
    Path("/mark/00").exists()
""")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_reading_the_corpus_opens_the_videos_and_nothing_else(corpus: Path, tmp_path: Path, root: Path):
    log = tmp_path / "log"
    calls = "trace=open,openat,openat2,creat,connect,execve,stat,newfstatat"
    command = ["strace", "-f", "-s", "4096", "-e", calls, "-o", str(log), sys.executable, "-c", SCRIPT, str(corpus)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr

    seen: dict[str, list[str]] = {}
    name = ""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if mark := re.search(rf'"{MARK}([0-9a-f]*)"', line):
            name = mark[1]
            seen[name] = []  # of the second reading in the end
        elif re.search(r" (open|openat|openat2|creat|connect|execve)\(", line) and name:
            seen[name].append(line)
    del seen["00"]  # what the interpreter does at its end
    assert set(seen) == {os.fsencode(path.name).hex() for path in corpus.iterdir()}
    for hexadecimal, lines in seen.items():
        expected = (corpus / os.fsdecode(bytes.fromhex(hexadecimal))).lstat()
        assert len(lines) == (2 if stat.S_ISREG(expected.st_mode) else 0)  # for sound and for pictures
        for line in lines:
            assert f'"{corpus}/' in line
            assert "O_RDONLY|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC" in line
    for name in ("hls.mp4", "index_last.mp4", "concat:index_last.mp4|good.avi"):
        assert all(f'"{corpus / name}"' in line for line in seen[name.encode().hex()])
