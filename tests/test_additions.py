"""A thing is added in a few files: each addition is made in a copy of the project, counted, and used there."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from pipeline.clips.codecs import CODECS
from pipeline.dataset.dataset import READERS
from pipeline.foundations.params.choices import WORD_KINDS, BackboneName, ClipCodec, DatasetSource, HeadName, WordSource
from pipeline.model.backbones import BACKBONES
from pipeline.model.heads import HEADS
from pipeline.weights.pretrained import VECTORS
from tests.end_to_end.clones import clone, environment

CHOICES = "pipeline/foundations/params/choices.py"
TRAIN = """
import os
from pathlib import Path
from pipeline.foundations.params import parse_params
from pipeline.foundations.params.editing import edited
from pipeline.model.checkpoint import load_model
from pipeline.model.fold import fold
from stages import train
from tests.train.miniature import SMALL, changed, write_inputs, write_params
import torch

text = edited(Path("params.yaml").read_text(), CHANGES)
params = parse_params(text, Path("params.yaml"))
small = SMALL | {"backbone": {}, "model": {}}
root = Path("miniature")
write_inputs(root)
write_params(root, changed(params, small))
os.chdir(root)
train.main()
model, about = load_model(Path("models/m3a"))
clips = torch.randn(2, 3, 8, 32, 32)
with torch.no_grad():
    assert torch.allclose(fold(model).scores(clips), model.scores(clips), atol=1e-5)
print("used", type(model.backbone).__name__, *model.head.learners)
"""


class Addition(NamedTuple):
    """What is added, and how it is seen to work."""

    edits: dict[str, tuple[tuple[str, str], ...]]
    """By file: texts, and what stands in their place; a file that is new has one, from nothing."""
    script: str
    """Uses it, in the copy."""
    says: str
    """The last line that the script prints."""


def before(text: str, line: str) -> tuple[str, str]:
    return text, line + text


ADDITIONS = {
    "a variant of a backbone": Addition(
        {
            CHOICES: (("BackboneName = Literal[", 'BackboneName = Literal["r3d_flat", '),),
            "pipeline/model/backbones/resnet3d.py": (
                before(
                    '    "r3d_tiny": Arch',
                    '    "r3d_flat": Architecture(kind="3d", blocks=(1, 1, 1, 1), widths=(8, 8, 8, 8)),\n',
                ),
            ),
        },
        TRAIN.replace("CHANGES", "{'backbone.name': 'r3d_flat'}"),
        "used ResNet3d visual audio text",
    ),
    "a kind of backbone": Addition(
        {
            CHOICES: (("BackboneName = Literal[", 'BackboneName = Literal["one_layer", '),),
            "pipeline/model/backbones/__init__.py": (
                (
                    "BACKBONES: Mapping[str, Callable[[], Backbone]] = {\n",
                    '''class OneLayer(Backbone):
    """A convolution over patches."""

    def __init__(self) -> None:
        super().__init__()
        self.features = 12
        self.layer4 = nn.Sequential(nn.Conv3d(3, 12, (1, 8, 8), stride=(1, 8, 8)), nn.BatchNorm3d(12), nn.ReLU())

    def forward(self, clips: Tensor) -> Tensor:
        """Feature map."""
        return self.layer4(clips)


BACKBONES: Mapping[str, Callable[[], Backbone]] = {
    "one_layer": OneLayer,
''',
                ),
                before("from pipeline.model.backbones.backbone", "from torch import Tensor, nn\n\n"),
            ),
        },
        TRAIN.replace("CHANGES", "{'backbone.name': 'one_layer'}"),
        "used OneLayer visual audio text",
    ),
    "a head": Addition(
        {
            CHOICES: (("HeadName = Literal[", 'HeadName = Literal["prior", '),),
            "pipeline/model/heads.py": (
                before(
                    "HEADS: Mapping",
                    '''class Prior(nn.Module):
    """What each action starts from, the same for every video."""

    def __init__(self, actions: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(actions))

    def forward(self, features_BC: Tensor, adjacency_NN: Tensor) -> Tensor:
        """Logits, B x N."""
        return self.bias.expand(len(features_BC), -1)


''',
                ),
                before('    "fc": HeadKind', '    "prior": HeadKind(lambda relation, C, N, forms_ND: Prior(N)),\n'),
            ),
        },
        TRAIN.replace("CHANGES", "{'model.heads': ['visual', 'prior']}"),
        "used ResNet3d visual prior",
    ),
    "a text embedding": Addition(
        {
            CHOICES: (
                ("WordSource = Literal[", 'WordSource = Literal["letters", '),
                before('    "sentences": WordKind', '    "letters": WordKind(local=False),\n'),
            ),
            "pipeline/weights/pretrained.py": (
                before(
                    "VECTORS: Mapping",
                    '''def _of_letters(words: Words, actions: Sequence[str]) -> "tuple[KeyedVectors, str]":
    """How often each letter is in an action's name."""
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(words.size)
    counts = [[name.count(chr(97 + letter)) for letter in range(words.size)] for name in actions]
    vectors.add_vectors([sentences.name_key(name) for name in actions], np.array(counts, np.float32))
    return vectors, "letters"


''',
                ),
                ('    "file": _of_file,\n', '    "file": _of_file,\n    "letters": _of_letters,\n'),
                before("from safetensors", "import numpy as np\n"),
            ),
        },
        """
from pathlib import Path
from pipeline.foundations.params import parse_params
from pipeline.foundations.params.editing import edited
from pipeline.foundations.tables import tables
from pipeline.lexicon import text, words
from pipeline.weights.pretrained import VECTORS

changes = {"words.source": "letters", "words.size": 26}
params = parse_params(edited(Path("params.yaml").read_text(), changes), Path("params.yaml"))
names = ["diving", "singing in"]
words.save(VECTORS[params.words.source](params.words, names)[0], Path("words.bin"))
actions = {"action_id": [0, 1], "action": names, "words": [name.split() for name in names]}
built = text.build(tables.from_columns("actions", actions), Path("words.bin"), params.words.size)
print(built.table["form"].to_pylist()[1][8])
""",
        "3.0",
    ),
    "a data set": Addition(
        {
            CHOICES: (("DatasetSource = Literal[", 'DatasetSource = Literal["listed", '),),
            "pipeline/dataset/dataset.py": (
                before("from pipeline.dataset.annotations import", "from pipeline.dataset import listed\n"),
                ('    "mmit": mmit.read,\n', '    "mmit": mmit.read,\n    "listed": listed.read,\n'),
            ),
            "pipeline/dataset/listed.py": (
                (
                    "",
                    '''"""A data set in one file: a split, a path and an action a line."""

from pathlib import Path

from pipeline.dataset.annotations import Annotations, Video


def read(folder: Path) -> Annotations:
    """Read it."""
    rows = [line.split() for line in (folder / "list.txt").read_text(encoding="utf-8").splitlines()]
    actions = tuple(dict.fromkeys(action for _, _, action in rows))
    videos = tuple(
        Video(path.rpartition(".")[0], path, split, (actions.index(action),)) for split, path, action in rows
    )
    return Annotations(actions, videos)
''',
                ),
            ),
        },
        """
import os
from pathlib import Path
from pipeline.foundations.params.editing import edited
from pipeline.foundations.tables import tables
from stages import index

root = Path("set")
(root / "videos").mkdir(parents=True)
for name in "ab":
    (root / "videos" / f"{name}.mp4").write_bytes(name.encode())
(root / "list.txt").write_text("train a.mp4 diving\\nval b.mp4 singing\\n")
place = {"folder": "set", "annotations": ".", "videos": "videos", "watch": "list.txt", "source": "listed"}
path = Path("params.yaml")
path.write_text(edited(path.read_text(), {f"dataset.{key}": value for key, value in place.items()}))
index.main()
print(*tables.read("videos", Path("data/index/videos.parquet"))["video_id"].to_pylist())
""",
        "a b",
    ),
    "a stage": Addition(
        {
            "dvc.yaml": (
                before(
                    "  build_adjacency:\n",
                    """  count_labels:
    desc: Count the actions of each training video
    cmd: python -m stages.count_labels
    params: [tables.yaml: [label_counts]]
    deps: [stages/count_labels.py, pipeline/dataset/label_counts.py, pipeline/foundations/tables,
           data/splits/train.parquet]
    outs: [data/graph/label_counts.parquet]

""",
                ),
            ),
            "tables.yaml": (
                before(
                    "clips:\n  key",
                    """label_counts:
  key: [video_id]
  columns:
    video_id: string, the video's name in every table
    count: int16, its actions

""",
                ),
            ),
            "pipeline/dataset/label_counts.py": (
                (
                    "",
                    '''"""How many actions each video has."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.foundations.tables import tables


def label_counts(splits: pa.Table) -> pa.Table:
    """Table `label_counts` of a table `splits`."""
    count = pc.list_value_length(splits["actions"]).cast(pa.int16())
    return tables.from_columns("label_counts", {"video_id": splits["video_id"], "count": count})
''',
                ),
            ),
            "stages/count_labels.py": (
                (
                    "",
                    '''"""Count the actions of each training video."""

from pathlib import Path

from pipeline.dataset.label_counts import label_counts
from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from stages import stage


@stage
def main(params: Params) -> str:
    """Write the `label_counts` table."""
    table = label_counts(tables.read("splits", Path("data/splits/train.parquet")))
    tables.write("label_counts", Path("data/graph/label_counts.parquet"), table)
    return f"{table.num_rows} videos"


if __name__ == "__main__":
    main()
''',
                ),
            ),
        },
        """
import subprocess
from pathlib import Path
from pipeline.foundations.tables import tables
from pipeline.report.dag import connected, read_stages
from tests.train.miniature import write_inputs

write_inputs(Path())
run = ["dvc", "repro", "--single-item", "count_labels"]
assert subprocess.run(run, capture_output=True, text=True, check=True).stdout.count("Running stage") == 1
assert "count_labels" in [stage.name for stage in connected(read_stages([Path("dvc.yaml")], values={}))]
assert "Running stage" not in subprocess.run(run, capture_output=True, text=True, check=True).stdout
print(tables.read("label_counts", Path("data/graph/label_counts.parquet"))["count"].to_pylist()[:4])
""",
        "[2, 1, 1, 2]",
    ),
    "an ablation table": Addition(
        {
            "pipeline/ablate/rows.py": (
                before(
                    "ABLATIONS = {",
                    """DEPTH = Ablation(
    "depth",
    "Depth of the GCN",
    "",
    tuple(
        Row(f"layers-{count}", f"GCN layers: {count}", _heads("text") | {"gcn.layers": count}) for count in (1, 2, 3)
    ),
)
""",
                ),
                ("CONTROLS, BASELINES)", "CONTROLS, BASELINES, DEPTH)"),
            ),
        },
        """
from typer.testing import CliRunner
from pipeline.cli import app
print(CliRunner().invoke(app, ["ablate", "depth", "--rows", "?"]).exception)
""",
        "--rows: depth has no row ?; its rows are layers-1, layers-2, layers-3",
    ),
    "a section of the report": Addition(
        {
            "pipeline/report/page.py": (
                before(
                    '    PageSection("bench.html.jinja"',
                    """    PageSection(
        "words.html.jinja", {"words": "Words"}, lambda run: {"known": run.tables.text["action"].to_pylist()}
    ),
""",
                ),
            ),
            "pipeline/report/templates/words.html.jinja": (
                ("", '<section id="words"><h2>Words</h2><p>{{ known|join(", ") }}</p></section>\n'),
            ),
        },
        """
from pathlib import Path
from pipeline.foundations.params import load_params
from pipeline.report import page
from tests.report.miniature import ACTIONS, write_run

write_run(Path("run"))
html = page.build(Path("run"), load_params(Path("run/params.yaml")))
start = html.index('<section id="words">')
assert html.index('<section id="model">') < start < html.index('<section id="speed">')
assert '<li><a href="#words">Words</a></li>' in html
print(html[start:].split("</section>")[0].endswith(f"<p>{', '.join(ACTIONS)}</p>"))
""",
        "True",
    ),
}
MOST = {
    "a variant of a backbone": 2,
    "a kind of backbone": 2,
    "a head": 2,
    "a text embedding": 2,
    "a data set": 3,
    "a stage": 4,
    "an ablation table": 1,
    "a section of the report": 2,
}
"""Files that each addition may touch: HOUSE.md's goals."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    return clone(tmp_path_factory.mktemp("additions") / "clone")


@pytest.fixture
def project(copy):
    yield copy
    _git(copy, "reset", "-q", "--hard")
    _git(copy, "clean", "-qfd")


@pytest.mark.slow
@pytest.mark.parametrize("thing", ADDITIONS)
def test_a_thing_is_added_in_a_few_files_and_works(project, thing):
    edits, script, says = ADDITIONS[thing]
    for name, changes in edits.items():
        path = project / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for old, new in changes:
            assert text.count(old) == 1 or not text, (name, old)
            text = text.replace(old, new) if old else new
        path.write_text(text, encoding="utf-8")
    touched = _git(project, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert len(touched) == len(edits) <= MOST[thing]
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=project, env=environment(), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.splitlines()[-1] == says


def _git(project: Path, *command: str) -> str:
    return subprocess.run(["git", *command], cwd=project, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (HeadName, HEADS),
        (BackboneName, BACKBONES),
        (WordSource, WORD_KINDS),
        (WordSource, VECTORS),
        (DatasetSource, READERS),
        (ClipCodec, CODECS),
    ],
    ids=["heads", "backbones", "word kinds", "word vectors", "data sets", "codecs"],
)
def test_every_name_has_its_builder_and_every_builder_its_name(names, table):
    assert set(get_args(names)) == set(table)
