"""The last run as a Provenance Run Crate, so that others' tools can read where everything came from.

Profiles: RO-Crate 1.1, Workflow RO-Crate 1.0, and Process, Workflow and Provenance Run Crate 0.5
(https://www.researchobject.org/workflow-run-crate). The same run gives the same bytes: every date is one that the
stages recorded.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rocrate.model.computerlanguage import ComputerLanguage
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from pipeline.errors import PlainError
from pipeline.files import placed
from pipeline.lineage import lock
from pipeline.lineage.lock import Stage
from pipeline.lineage.record import FOLDER as RUNS

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
WORKFLOW, SETTINGS = "dvc.yaml", ("params.yaml", "dvc.lock")


def write_crate(root: Path, target: Path) -> int:
    """Write the crate of the run at `root` as a folder, files included by hard link where possible.

    Returns the number of files in it.

    Raises:
        PlainError: nothing has run here, or a stage left no record.
    """
    stages = lock.read_stages(root)
    records = {name: _record(root, name) for name in stages}
    with placed(target) as draft:
        draft.mkdir()
        crate = _Builder(root, draft, stages, records).build()
        content = json.dumps(crate.metadata.generate(), indent=2, sort_keys=True, ensure_ascii=False)
        (draft / "ro-crate-metadata.json").write_text(content + "\n", encoding="utf-8")
    return sum(path.is_file() for path in target.rglob("*"))


def _record(root: Path, name: str) -> Mapping[str, Any]:
    path = root / RUNS / f"{name}.json"
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlainError(f"{path}: no record of the stage's run; run `dvc repro --force {name}`") from error
    return record


class _Builder:
    """Turns stages and their records into the entities of a crate."""

    def __init__(
        self, root: Path, folder: Path, stages: Mapping[str, Stage], records: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.root, self.folder, self.stages, self.records = root, folder, stages, records
        self.crate = ROCrate(gen_preview=False)

    def build(self) -> ROCrate:
        """The whole crate."""
        crate = self.crate
        last = max(record["started"] for record in self.records.values())
        crate.name = "Multi-Modal Multi-Action Video Recognition: a run of the pipeline"
        crate.description = "Every stage of dvc.yaml as it ran, with its code, parameters, inputs and outputs."
        crate.datePublished = last
        crate.license = "https://spdx.org/licenses/Apache-2.0"
        crate.metadata.extra_contexts.append(TERMS)
        for profile, name in PROFILES.items():
            properties = {"@type": "CreativeWork", "name": name, "version": profile.rpartition("/")[2]}
            crate.root_dataset.append_to("conformsTo", crate.add(ContextEntity(crate, profile, properties)))
        workflow = self._workflow()
        agent = crate.add(ContextEntity(crate, "#runner", {"@type": "Person", "name": "whoever ran dvc repro"}))
        actions = {name: self._action(name, agent) for name in self.stages}
        self._run(workflow, actions, agent)
        return crate

    def _file(self, path: str, **properties: Any) -> Any:
        """A file or folder of the project, linked into the crate, as an entity; each once."""
        known = self.crate.get(path) or self.crate.get(path + "/")
        if known is not None:
            return known
        source = self.root / path
        properties = {"name": path, **properties}
        if source.is_dir():
            for file in sorted(file for file in source.rglob("*") if file.is_file()):
                self._link(file)
            return self.crate.add_directory(dest_path=path, properties=properties)
        if source.exists():
            self._link(source)
            properties["contentSize"] = str(source.stat().st_size)
        return self.crate.add_file(dest_path=path, properties=properties)

    def _link(self, source: Path) -> None:
        target = self.folder / source.relative_to(self.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:  # another file system: a copy instead
            target.write_bytes(source.read_bytes())

    def _workflow(self) -> Any:
        """dvc.yaml as the workflow: its steps in running order, and the tools that they run."""
        crate = self.crate
        self._link(self.root / WORKFLOW)
        language = ComputerLanguage(
            crate, identifier="#dvc",
            properties={"name": "DVC pipeline", "url": {"@id": "https://dvc.org"}, "version": "3"},
        )  # fmt: skip
        crate.add(language)
        workflow = crate.add_workflow(
            dest_path=WORKFLOW, main=True, lang=language, properties={"name": "Multi-action recognition pipeline"}
        )
        workflow["@type"] = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
        for position, name in enumerate(self.stages):
            tool = self._file(f"stages/{name}.py")
            tool["@type"] = ["File", "SoftwareSourceCode", "SoftwareApplication"]
            tool["name"] = f"stage {name}"
            step = ContextEntity(
                crate, f"#step-{name}", {"@type": "HowToStep", "name": name, "position": str(position)}
            )
            crate.add(step)
            step["workExample"] = tool
            workflow.append_to("step", step)
            workflow.append_to("hasPart", tool)
        return workflow

    def _action(self, name: str, agent: Any) -> Any:
        """One stage's run: its tool, what it read, what it wrote, with which parameters."""
        stage, record = self.stages[name], self.records[name]
        action = self.crate.add(ContextEntity(self.crate, f"#run-{name}", {
            "@type": "CreateAction", "name": f"run of stage {name}", "startTime": record["started"],
            "endTime": record["ended"], "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
            "description": f"{record['seconds']} s on {record['host']['cpu']}, git {record['git']['revision']}",
        }))  # fmt: skip
        action["instrument"] = self.crate.get(f"stages/{name}.py")
        action["agent"] = agent
        for dep in stage.deps:
            action.append_to("object", self._file(dep.path, identifier=f"md5:{dep.md5}"))
        for key, value in stage.params.items():
            action.append_to("object", self._parameter(name, key, value))
        for out in stage.outs:
            action.append_to("result", self._file(out.path, identifier=f"md5:{out.md5}"))
        return action

    def _parameter(self, stage: str, key: str, value: Any) -> Any:
        properties = {"@type": "PropertyValue", "name": key, "value": json.dumps(value, sort_keys=True)}
        return self.crate.add(ContextEntity(self.crate, f"#param-{stage}-{key}", properties))

    def _run(self, workflow: Any, actions: Mapping[str, Any], agent: Any) -> None:
        """The run of the whole: DVC orders it, each step controls a stage's run."""
        crate = self.crate
        records = self.records.values()
        times = {"startTime": min(record["started"] for record in records),
                 "endTime": max(record["ended"] for record in records)}  # fmt: skip
        whole = crate.add(ContextEntity(crate, "#run", {
            "@type": "CreateAction", "name": "run of the pipeline", **times,
            "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
        }))  # fmt: skip
        whole["instrument"], whole["agent"] = workflow, agent
        settings = [self._file(path) for path in SETTINGS]
        whole["object"] = settings
        whole["result"] = [self._file(out.path) for stage in self.stages.values() for out in stage.outs]
        version = next(iter(records))["versions"]["dvc"]
        engine = crate.add(ContextEntity(crate, "#engine", {
            "@type": "SoftwareApplication", "name": "DVC", "url": "https://dvc.org",
            "version": version, "softwareVersion": version,
        }))  # fmt: skip
        order = crate.add(ContextEntity(crate, "#orchestration", {
            "@type": "OrganizeAction", "name": "dvc repro", **times,
        }))  # fmt: skip
        order["instrument"], order["agent"], order["result"] = engine, agent, whole
        for name, action in actions.items():
            control = crate.add(ContextEntity(crate, f"#control-{name}", {
                "@type": "ControlAction", "name": f"DVC runs stage {name}",
            }))  # fmt: skip
            control["instrument"], control["object"] = crate.get(f"#step-{name}"), action
            order.append_to("object", control)
        crate.root_dataset["mentions"] = [whole, order, *actions.values()]
