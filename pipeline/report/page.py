"""The report's page: the content of every section, filled into the template."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.foundations.params import Params, Section
from pipeline.report import run_tables as files
from pipeline.report.dag import Stage, connected, read_stages
from pipeline.report.figures.curves import panels
from pipeline.report.run_tables import RunTables, read_run_tables
from pipeline.report.sections import (
    ablations,
    bench,
    browse,
    data,
    flow,
    found,
    learnt,
    lineage,
    model,
    portraits,
    relations,
    result,
    sight,
)
from pipeline.report.sources import linked
from pipeline.report.stage_counts import VERDICTS, Entry, exclusions, stage_counts
from pipeline.report.templating import filled
from pipeline.report.tracing import identity

PIPELINE = ("data/raw/dvc.yaml", "dvc.yaml")
EXCLUSIONS_SHOWN = 500


def build(root: Path, params: Params) -> str:
    """The report on the run below `root`, as HTML: the same bytes each time.

    Raises:
        PlainError: a file of the run is absent or not what it should be.
    """
    values = _values(params)
    flat = {
        f"{section}.{key}": str(value)
        for section, content in values.items() if isinstance(content, dict)
        for key, value in content.items()
    }  # fmt: skip
    stages = read_stages([root / path for path in PIPELINE], values=flat)
    return render(read_run_tables(root), connected(stages), values)


def _values(params: Params) -> dict[str, Any]:
    """The parameters that decide what a run makes, by section."""
    sections = {name: getattr(params, name) for name in type(params).model_fields if name != "execution"}
    return {
        name: section.model_dump(mode="json") if isinstance(section, Section) else section
        for name, section in sections.items()
    }


class SectionInput(NamedTuple):
    """The input of every section."""

    tables: RunTables
    stages: Sequence[Stage]
    counts: Mapping[str, Entry]
    """By stage: rows kept and excluded."""
    values: Mapping[str, Any]
    """The parameters, by section of params.yaml."""


class PageSection(NamedTuple):
    """A part of the page."""

    template: str
    """In templates/."""
    headings: Mapping[str, str]
    """What the navigation shows: ids in the template, and words."""
    content: Callable[[SectionInput], Mapping[str, Any]] = lambda run: {}
    """The names that its template uses, beside those of every section (`_shared`)."""


def _result(run: SectionInput) -> Mapping[str, Any]:
    metrics = result.metrics(run.tables.metrics)
    hidden = run.values["render"]["hidden"]
    return {"result": metrics, "best": result.best(metrics, run.values), "hidden": hidden}


def _data(run: SectionInput) -> Mapping[str, Any]:
    return {
        "verdicts": data.verdicts(run.tables),
        "verdict_words": VERDICTS,
        "exclusions": exclusions(run.tables),
        "exclusions_shown": EXCLUSIONS_SHOWN,
    }


def _explained(run: SectionInput) -> Mapping[str, Any]:
    late_fusion = run.tables.model["design"]["model"]["late_fusion"]
    return {"sight": sight.sight(run.tables), "learnt": learnt.learnt(run.tables), "late_fusion": late_fusion}


def _browse(run: SectionInput) -> Mapping[str, Any]:
    return {
        "browsed": browse.browse(run.tables, run.values),
        "predicted": run.tables.predictions.num_rows,
        "clips": {
            row["video_id"]: {
                kind: _base64(run.tables.pictures[row[kind]]) if row[kind] else "" for kind in ("clip", "heard")
            }
            for row in run.tables.playable.to_pylist()
        },
    }


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


def _portraits(run: SectionInput) -> Mapping[str, Any]:
    names, related = learnt.related(run.tables)
    titles = [*(f"Learnt neighbours: {name}" for name in names), "Neighbours in the data"]
    return {
        "portraits": portraits.portraits(run.tables, run.values, related),
        "calibration": portraits.overall(run.tables),
        "zip_neighbours": lambda of: zip(titles, [*of.learnt, of.data], strict=True),
    }


def _lineage(run: SectionInput) -> Mapping[str, Any]:
    return {
        "lineage": lineage.lineage(run.tables, run.stages, run.counts, run.values),
        "learners": model.learners(run.tables.model),
    }


SECTIONS = (
    PageSection("result.html.jinja", {"result": "Result"}, _result),
    PageSection("found.html.jinja", {"found": "Findings"}, lambda run: {"found": found.answers(run.tables.ablations)}),
    PageSection(
        "actions.html.jinja", {"actions": "Actions"}, lambda run: {"actions": result.actions(run.tables.per_action)}
    ),
    PageSection("browse.html.jinja", {"videos": "Videos"}, _browse),
    PageSection("portraits.html.jinja", {"calibration": "Calibration", "portraits": "One by one"}, _portraits),
    PageSection("explained.html.jinja", {"sight": "Sight", "learnt": "Relations"}, _explained),
    PageSection(
        "ablations.html.jinja",
        {"ablations": "Ablations"},
        lambda run: {"ablations": ablations.ablations(run.tables.ablations)},
    ),
    PageSection(
        "pipeline.html.jinja",
        {"pipeline": "Pipeline"},
        lambda run: {"dag": flow.dag(run.stages, run.counts), "stages": flow.rows(run.stages, run.counts)},
    ),
    PageSection("data.html.jinja", {"data": "Data"}, _data),
    PageSection("training.html.jinja", {"training": "Training"}, lambda run: {"curves": panels(run.tables.curves)}),
    PageSection("graph.html.jinja", {"graph": "Graph"}, lambda run: {"graph": relations.graph(run.tables)}),
    PageSection(
        "lexicons.html.jinja", {"lexicons": "Lexicons"}, lambda run: {"lexicons": relations.lexicons(run.tables)}
    ),
    PageSection("model.html.jinja", {"model": "Model"}, lambda run: {"settings": model.settings(run.tables.model)}),
    PageSection("bench.html.jinja", {"speed": "Speed"}, lambda run: {"bench": bench.bench(run.tables.bench)}),
    PageSection("lineage.html.jinja", {"lineage": "Lineage"}, _lineage),
)
"""In the order of the page."""


def render(run_tables: RunTables, stages: Sequence[Stage], values: Mapping[str, Any]) -> str:
    """Put the tables into the template, with what the parameters say."""
    run = SectionInput(run_tables, stages, stage_counts(run_tables), values)
    context = _shared(run)
    for section in SECTIONS:
        context |= section.content(run)
    return linked(filled("page.html.jinja", context)) + "\n"


def _shared(run: SectionInput) -> dict[str, Any]:
    """Names that every section's template may use."""
    split = run.values["evaluate"]["split"]
    occurrences = data.occurrences(run.tables)
    return {
        "sections": SECTIONS,
        "files_of": _files(),
        "files": sorted({path for paths in _files().values() for path in paths}),
        "source": run.values["dataset"]["source"],
        "split": split,
        "seed": run.values["seed"],
        "traced": identity(run.tables.metrics),
        "scored": f"{run.tables.predictions.num_rows:,}",
        "untrained": model.untrained(run.tables.weights),
        "vggish_parts": model.vggish_parts(run.tables.model),
        "lede": result.lede(run.tables, result.metrics(run.tables.metrics), split),
        "occurrences": occurrences,
        "most": data.most(occurrences),
    }


def _files() -> Mapping[str, tuple[str, ...]]:
    """Which files a name in the template stands for."""
    tables = {name: (path,) for name, (_, path) in files.TABLES.items()}
    return tables | {
        "model": (files.MODEL,),
        "weights": (files.WEIGHTS,),
        "curves": (files.CURVES,),
        "pictures": (files.PICTURES,),
        "bench": (files.BENCH,),
        "dag": PIPELINE,
        "ablations": (files.ABLATIONS,),
    }
