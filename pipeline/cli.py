"""The `m3a` command: what a person runs beside `dvc repro`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import PlainError
from pipeline.progress import say

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Multi-Modal Multi-Action Video Recognition. The pipeline itself runs with `dvc repro`.",
)


def main() -> None:
    """Run the command; an error for people is one line and status 1."""
    try:
        app()
    except PlainError as error:
        say(f"m3a: error: {error}")
        sys.exit(1)


@app.callback()
def _commands() -> None:
    """Keeps a command's name needed where there is only one."""


@app.command(
    epilog="Example: m3a convert-weights r2plus1d_34_clip8_ft_kinetics.pth models/ig65m.safetensors",
)
def convert_weights(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A published PyTorch checkpoint.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="The safetensors file to write.")],
) -> None:
    """Convert a published checkpoint, of the authors or of ig65m-pytorch, for `backbone.weights`.

    Says what was mapped, what was left over and what is missing. Refuses files that hold more than tensors.
    """
    from pipeline.nn.weights import convert

    conversion = convert(source, target)
    origin = conversion.origin
    say(f"recognized: {origin.publisher}, {origin.backbone}; sha256 {origin.sha256}")
    say(f"mapped: {len(conversion.mapped)} tensors, to {target}")
    left = ", ".join(f"{name} {shape}" for name, shape in conversion.left_over.items())
    say(f"left over: {left or 'nothing'}")
    say("missing: nothing" if origin.parameters else "missing: a head; training starts it from the seed")
    say(f"batch norm: eps {origin.batch_norm.eps:g}, momentum {origin.batch_norm.momentum:g}")
    say(f"params.yaml: backbone.name: {origin.backbone}, backbone.weights: {target}")
    for key, value in origin.parameters.items():
        say(f"params.yaml, to use its head: {key}: {value}")


@app.command(epilog="Example: m3a adopt-weights models/authors_audio_text.safetensors")
def adopt_weights(
    weights: Annotated[Path, typer.Argument(help="Written by m3a convert-weights, from a checkpoint with a head.")],
    to: Annotated[Path, typer.Option(help="Folder of the model to write.")] = Path("models/m3a"),
) -> None:
    """Make a published model ours without training: its weights, params.yaml's design, our graph and lexicons.

    For the authors' own scores, import their lexicons and graph first (`m3a import-released`).
    """
    from dataclasses import replace

    from pipeline.nn.weights import load
    from pipeline.params import load_params
    from pipeline.train.assemble import Design, Knowledge, assemble
    from pipeline.train.checkpoint import save_model

    params = load_params()
    sections = {
        name: getattr(params, name) for name in ("frames", "backbone", "lexicon", "gcn", "transformer", "model")
    }
    knowledge = Knowledge(
        actions=Path("data/index/actions.parquet"),
        adjacency=Path("data/graph/adjacency.parquet"),
        audio=Path("data/lexicons/audio.parquet"),
        text=Path("data/lexicons/text.parquet"),
        backbone=weights,
    )
    design = Design(**sections, normalization=params.adjacency.normalization)
    model, _, description = assemble(knowledge, design, seed=params.seed)
    origin = load(weights, model, head=True)
    save_model(to, model, replace(description, batch_norm=model.batch_norm))
    say(f"{to}: {origin.source} of {origin.publisher}; to score it: dvc repro --single-item evaluate")


@app.command(epilog="Example: m3a export --to models/exported")
def export(
    model: Annotated[Path, typer.Option(help="Folder of the trained model.")] = Path("models/m3a"),
    to: Annotated[Path, typer.Option(help="Folder to write model.onnx and model.pt2 into.")] = Path("models/exported"),
) -> None:
    """Write the trained model as ONNX and as torch.export, for use without this project.

    Input: `clips`, batch x 3 x frames x crop x crop, RGB, normalized by the mean and std of `frames`. Output: `scores`,
    one an action, in [0, 1]. The audio and text relations are folded into one matrix. The actions' names and how
    clips are made (`frames` and `evaluate` of params.yaml) travel inside both files.
    """
    from pipeline.nn.export import ClipShape
    from pipeline.nn.export import export as write
    from pipeline.params import load_params
    from pipeline.train.checkpoint import load_model

    trained, about = load_model(model)
    testing = load_params().evaluate
    shape = ClipShape(frames=about.frames.count, height=testing.crop, width=testing.crop)
    description = {
        "actions": list(about.actions),
        "frames": about.frames.model_dump(),
        "evaluate": testing.model_dump(include={"temporal_views", "spatial_views", "short_side", "crop", "combine"}),
    }
    write(trained, to, shape, description)
    say(
        f"{to}: model.onnx and model.pt2, {len(about.actions)} actions, clips of 3 x {shape.frames} x {shape.height}"
        f" x {shape.width}"
    )


@app.command(
    epilog="Example: m3a import-released --mini train-v1-mini.csv --audio audio-lexicon-v1-mini.pkl"
    " --text text-lexicon-v1-mini.pkl --graph graph-adj-v1-mini.pkl",
)
def import_released(
    mini: Annotated[Path | None, typer.Option(help="train-*-mini.csv: their draw of Mini M-MiT.")] = None,
    audio: Annotated[Path | None, typer.Option(help="audio-lexicon-*.pkl")] = None,
    text: Annotated[Path | None, typer.Option(help="text-lexicon-*.pkl")] = None,
    graph: Annotated[Path | None, typer.Option(help="graph-adj-*.pkl")] = None,
    draw_seed: Annotated[int, typer.Option(help="Of their draw of one audio form an action; -1 keeps all forms.")] = 0,
) -> None:
    """Put the authors' published files in the place of the tables that the pipeline computes.

    Needs `data/index` (`dvc repro index`). The pickles are read by a reader that knows arrays and plain containers
    and nothing else. With their seed, 0, the nodes of the audio GCN are the ones that their checkpoints go with.
    """
    from pipeline import released, tables
    from pipeline.params import load_params

    actions = tables.read("actions", Path("data/index/actions.parquet"))
    n = actions.num_rows
    stages = []
    if mini:
        target, videos = Path("data/splits/train.parquet"), tables.read("videos", Path("data/index/videos.parquet"))
        say(f"{target}: {released.import_mini(mini, target, actions=n, videos=videos):,} videos")
        stages.append("split_mini")
    if audio:
        target, seed = Path("data/lexicons/audio.parquet"), None if draw_seed < 0 else draw_seed
        say(f"{target}: {released.import_audio(audio, target, actions=n, seed=seed):,} forms of {n} actions")
        stages.append("build_audio_lexicon")
    if text:
        target = Path("data/lexicons/text.parquet")
        say(f"{target}: {n} forms of {released.import_text(text, target, actions=actions)}")
        stages.append("build_text_lexicon")
    if graph:
        target, rule = Path("data/graph/adjacency.parquet"), load_params().adjacency
        say(f"{target}: {released.import_adjacency(graph, target, actions=n, params=rule):,} edges")
        stages.append("build_adjacency")
    if not stages:
        raise PlainError("name at least one file to import: --mini, --audio, --text or --graph")
    say(f"to let DVC take them as these stages' results: dvc commit --force {' '.join(stages)}")


if __name__ == "__main__":
    main()
