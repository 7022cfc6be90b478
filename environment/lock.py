"""Write requirements.lock, by uv: `make lock`, or `make lock UPGRADE='numpy scipy'` for newer releases.

One resolution holds everything, so that a package has one version whatever is installed, on every Python and machine
of pyproject.toml. It is cut into sections, which environment/install.sh picks from: `build` (what packages without a
wheel are built with), `base`, one an extra of what it adds to base, `torch`, and `cuda`, which PyTorch's CUDA builds
need. A package of two extras stands in both.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

LOCK = Path("requirements.lock")
BUILD = ("setuptools",)
TORCH = "2.13.0"
CUDA = (
    "cuda-bindings", "cuda-toolkit", "nvidia-cudnn-cu13", "nvidia-cusparselt-cu13", "nvidia-nccl-cu13",
    "nvidia-nvshmem-cu13", "triton",
)  # fmt: skip
"""What PyPI's PyTorch asks for on Linux alone (its METADATA); the CPU's builds ask for none of it."""
BUILDS = {
    "cpu-cp311-cp311-manylinux_2_28_x86_64": "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
    "cpu-cp312-cp312-manylinux_2_28_x86_64": "4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2",
    "cpu-cp313-cp313-manylinux_2_28_x86_64": "3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6",
    "cpu-cp311-cp311-manylinux_2_28_aarch64": "84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7",
    "cpu-cp312-cp312-manylinux_2_28_aarch64": "6f307c2c32d764ffc6ff6893b801fad6d4752f3e67966cb8abf1843427c02604",
    "cpu-cp313-cp313-manylinux_2_28_aarch64": "0b8f7d0423027ae8b90c7977c627f3379f325363a08224dffad9b4b2d684a83d",
    "cu130-cp312-cp312-manylinux_2_28_x86_64": "8db7338e6895c3d4bd89a02ff4209507d1f0cf2ffeb3b898538b5a07d1ea8c1e",
    "cu130-cp313-cp313-manylinux_2_28_x86_64": "95bdbad2f0786bd448932e4b72a6404aa22290db6ec954e24edfa6d33c833c8f",
}
"""SHA-256 of the wheels of download.pytorch.org, torch-2.13.0+BUILD.whl, which uv does not ask: each as two sources or
more give it that do not copy one another (that index's own listing, nixpkgs' binary-hashes.nix, locks of other
projects), and cp311 on x86_64 of the wheel itself. PyPI's wheels, the same release for CUDA 13.0, uv adds itself."""
HEADER = """\
# Every package that this project runs on, with the hashes of its files, for Python 3.11 to 3.13 on Linux.
# Written by `make lock` (environment/lock.py), read by `make install` (environment/install.sh); not by hand.
# A section is what an extra adds to base; "# via" says what asks for a package.
"""
TORCH_NOTE = """\
# Installed by a call of its own, from one index alone (TORCH_INDEX). PyPI's wheels have their hashes from there; those
# of download.pytorch.org from that index's listing, nixpkgs' binary-hashes.nix and other projects' locks, at least two
# of which agree on each:
"""

Blocks = dict[str, str]
"""A requirement with its marker, as in the lock: its lines."""


def main(upgrade: Iterable[str]) -> None:
    """Resolve, cut, write."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = list(project["optional-dependencies"])
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        pins.write_text(LOCK.read_text(encoding="utf-8") if LOCK.exists() else "", encoding="utf-8")
        _resolve(pins, "--all-extras", *(f"--upgrade-package={name}" for name in upgrade))
        with_cuda = _resolve(pins)
        excluded = Path(folder) / "cuda.txt"
        excluded.write_text("\n".join(CUDA) + "\n", encoding="utf-8")
        without = (f"--excludes={excluded}",)
        base = _resolve(pins, *without)
        added = {extra: _beyond(_resolve(pins, f"--extra={extra}", *without), base) for extra in extras}
    torch = {key: block for key, block in base.items() if key.startswith("torch==")}
    build = {key: block for key, block in base.items() if key.partition("==")[0] in BUILD}
    sections = {
        "build": build, "base": _beyond(base, torch | build), **added, "cuda": _beyond(with_cuda, base),
    }  # fmt: skip
    text = HEADER + "".join(f"\n# == {name} ==\n{''.join(blocks.values())}" for name, blocks in sections.items())
    LOCK.write_text(f"{text}\n# == torch ==\n{_torch(*torch.values())}", encoding="utf-8")


def _resolve(pins: Path, *options: str) -> Blocks:
    """What uv makes of pyproject.toml with the versions of `pins`, which is renewed where all extras are asked for."""
    target = pins if "--all-extras" in options else pins.with_name("part.txt")
    if target != pins:
        target.write_bytes(pins.read_bytes())
    constraint = pins.with_name("torch.txt")
    constraint.write_text(f"torch=={TORCH}\n", encoding="utf-8")
    subprocess.run(
        [
            "uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version=3.11.4", "--generate-hashes",
            "--annotation-style=line", "--no-header", "--quiet", f"--constraints={constraint}",
            f"--output-file={target}", *options,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    blocks = re.split(r"^(?=[a-z0-9])", target.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {block.split(" \\\n", 1)[0]: block for block in blocks}


def _beyond(blocks: Blocks, known: Iterable[str]) -> Blocks:
    return {key: block for key, block in blocks.items() if key not in known}


def _torch(block: str) -> str:
    """PyTorch's section: the hashes of PyPI's wheels, as uv gives them, and of PyTorch's own index."""
    requirement, *rest = block.replace(" \\\n", "\n").splitlines()
    hashes = {line.strip() for line in rest if "--hash=" in line} | {
        f"--hash=sha256:{value}" for value in BUILDS.values()
    }
    named = "".join(f"#   {value} torch-{TORCH}+{name}.whl\n" for name, value in BUILDS.items())
    return TORCH_NOTE + named + " \\\n    ".join([requirement, *sorted(hashes)]) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
