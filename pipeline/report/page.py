"""The page: every section's content, put into the template."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.foundations.params import Params, Section
from pipeline.report import run_tables as files
from pipeline.report.dag import Stage, connected, read_stages
from pipeline.report.figures.curves import panels
from pipeline.report.run_tables import RunTables, read_run_tables
from pipeline.report.sections import (
    ablations,
    bench,
    data,
    flow,
    found,
    learnt,
    lineage,
    model,
    relations,
    result,
    sight,
)
from pipeline.report.sources import linked
from pipeline.report.stage_counts import VERDICTS, exclusions, stage_counts
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


def render(run_tables: RunTables, stages: Sequence[Stage], values: Mapping[str, Any]) -> str:
    """Put the tables into the template, with what the parameters say."""
    source, split = values["dataset"]["source"], values["evaluate"]["split"]
    entries = stage_counts(run_tables)
    metrics = result.metrics(run_tables.metrics)
    occurrences = data.occurrences(run_tables)
    context = {
        "files_of": _files(),
        "files": sorted({path for paths in _files().values() for path in paths}),
        "source": source,
        "split": split,
        "scored": f"{run_tables.predictions.num_rows:,}",
        "untrained": model.untrained(run_tables.weights),
        "listening": model.listening(run_tables.model),
        "lede": result.lede(run_tables, metrics, split),
        "result": metrics,
        "best": result.best(metrics, values),
        "hidden": values["render"]["hidden"],
        "actions": result.actions(run_tables.per_action),
        "sight": sight.sight(run_tables),
        "learnt": learnt.learnt(run_tables),
        "found": found.findings(run_tables.ablations),
        "ablations": ablations.ablations(run_tables.ablations),
        "bench": bench.bench(run_tables.bench),
        "dag": flow.dag(stages, entries),
        "stages": flow.rows(stages, entries),
        "verdicts": data.verdicts(run_tables),
        "verdict_words": VERDICTS,
        "occurrences": occurrences,
        "most": data.most(occurrences),
        "exclusions": exclusions(run_tables),
        "exclusions_shown": EXCLUSIONS_SHOWN,
        "curves": panels(run_tables.curves),
        "graph": relations.graph(run_tables),
        "lexicons": relations.lexicons(run_tables),
        "settings": model.settings(run_tables.model),
        "lineage": lineage.lineage(run_tables, stages, entries, values),
        "traced": identity(run_tables.metrics),
        "learners": model.learners(run_tables.model),
        "late_fusion": run_tables.model["model"]["late_fusion"],
    }
    return linked(filled("page.html.jinja", context)) + "\n"


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
