"""The page: every section's content, put into the template."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.foundations.params import Params, Section
from pipeline.report import evidence as sources
from pipeline.report.dag import Stage, connected, read_stages
from pipeline.report.evidence import Evidence, read_evidence
from pipeline.report.figures.curves import panels
from pipeline.report.ledger import VERDICTS, exclusions, ledger
from pipeline.report.origins import linked
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
    return render(read_evidence(root), connected(stages), values)


def _values(params: Params) -> dict[str, Any]:
    """The parameters that decide what a run makes, by section."""
    sections = {name: getattr(params, name) for name in type(params).model_fields if name != "execution"}
    return {
        name: section.model_dump(mode="json") if isinstance(section, Section) else section
        for name, section in sections.items()
    }


def render(evidence: Evidence, stages: Sequence[Stage], values: Mapping[str, Any]) -> str:
    """Put the evidence into the template, with what the parameters say."""
    source, split = values["dataset"]["source"], values["evaluate"]["split"]
    entries = ledger(evidence)
    metrics = result.metrics(evidence.metrics)
    occurrences = data.occurrences(evidence)
    context = {
        "files_of": _files(),
        "files": sorted({path for paths in _files().values() for path in paths}),
        "source": source,
        "split": split,
        "scored": f"{evidence.predictions.num_rows:,}",
        "untrained": model.untrained(evidence.weights),
        "listening": model.listening(evidence.model),
        "lede": result.lede(evidence, metrics, split),
        "result": metrics,
        "best": result.best(metrics, values),
        "hidden": values["render"]["hidden"],
        "actions": result.actions(evidence.per_action),
        "sight": sight.sight(evidence),
        "learnt": learnt.learnt(evidence),
        "found": found.findings(evidence.ablations),
        "ablations": ablations.ablations(evidence.ablations),
        "bench": bench.bench(evidence.bench),
        "dag": flow.dag(stages, entries),
        "stages": flow.rows(stages, entries),
        "verdicts": data.verdicts(evidence),
        "verdict_words": VERDICTS,
        "occurrences": occurrences,
        "most": data.most(occurrences),
        "exclusions": exclusions(evidence),
        "exclusions_shown": EXCLUSIONS_SHOWN,
        "curves": panels(evidence.curves),
        "graph": relations.graph(evidence),
        "lexicons": relations.lexicons(evidence),
        "settings": model.settings(evidence.model),
        "lineage": lineage.lineage(evidence, stages, entries, values),
        "traced": identity(evidence.metrics),
        "learners": model.learners(evidence.model),
        "late_fusion": evidence.model["model"]["late_fusion"],
    }
    return linked(filled("page.html.jinja", context)) + "\n"


def _files() -> Mapping[str, tuple[str, ...]]:
    """Which files a name in the template stands for."""
    tables = {name: (path,) for name, (_, path) in sources.TABLES.items()}
    return tables | {
        "model": (sources.MODEL,),
        "weights": (sources.WEIGHTS,),
        "curves": (sources.CURVES,),
        "pictures": (sources.PICTURES,),
        "bench": (sources.BENCH,),
        "dag": PIPELINE,
        "ablations": (sources.ABLATIONS,),
    }
