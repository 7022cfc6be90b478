"""The last run as a Provenance Run Crate, so that others' tools can read where everything came from.

Profiles: RO-Crate 1.1, Workflow RO-Crate 1.0, and Process, Workflow and Provenance Run Crate 0.5
(https://www.researchobject.org/workflow-run-crate). The same run gives the same bytes: every date is one that the
stages recorded, and a file goes in only while it is what dvc.lock says it was.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipeline.foundations.runtime.extras import require
from pipeline.foundations.runtime.files import atomic_write
from pipeline.lineage import crate_checks, lock
from pipeline.lineage.finished import check_unchanged, copy_to, read_record
from pipeline.lineage.lock import Recorded, Stage

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

VERSION = "1.1"
"""Of RO-Crate: the one that the run crates' profiles 0.5 build on."""
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
TERMS = {"resourceUsage": "https://w3id.org/ro/terms/workflow-run#resourceUsage"}
"""Terms beyond RO-Crate's own, inline: a reader needs no second context."""
TOOL = {"@type": ["File", "SoftwareSourceCode"]}
WORKFLOW, SETTINGS = "dvc.yaml", ("params.yaml", "dvc.lock", "data/raw/dvc.lock")
README, PROJECT_README = "README.md", "PROJECT-README.md"
"""The project's own goes in by another name: the crate has its own, which says how to check it."""
COMPLETED = "http://schema.org/CompletedActionStatus"
FORMATS = {".py": "text/x-python", ".yaml": "application/yaml", ".lock": "application/yaml", ".md": "text/markdown",
           ".json": "application/json", ".html": "text/html", ".parquet": "application/vnd.apache.parquet",
           ".txt": "text/plain", ".result": "application/json", ".wav": "audio/wav"}  # fmt: skip
OTHER_FORMAT = "application/octet-stream"


def write_crate(root: Path, target: Path) -> int:
    """Write the crate of the run at `root` as a folder; what stages wrote goes in by hard link where possible.

    Returns the number of files in it.

    Raises:
        PlainError: RO-Crate is not installed, nothing has run here, a stage left no record of a finished run, or a
            file is not what it was.
    """
    require("crate", "m3a crate")
    stages = lock.read_stages(root)
    records = {name: read_record(root, stage) for name, stage in stages.items()}
    with atomic_write(target) as draft:
        draft.mkdir()
        crate = _Builder(root, draft, stages, records).build()
        content = json.dumps(crate.metadata.generate(), indent=2, sort_keys=True, ensure_ascii=False)
        (draft / "ro-crate-metadata.json").write_text(content + "\n", encoding="utf-8")
        crate_checks.write_sums(draft)
        return sum(path.is_file() for path in draft.rglob("*"))


class _Builder:
    """Turns stages and their records into the entities of a crate, and brings their files in."""

    def __init__(
        self, root: Path, folder: Path, stages: Mapping[str, Stage], records: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.root, self.folder, self.stages, self.records = root, folder, stages, records
        self.written = [out.path for stage in stages.values() for out in stage.outs]
        self.unchanged: set[Recorded] = set()
        from rocrate.rocrate import ROCrate

        self.crate = ROCrate(gen_preview=False, version=VERSION)

    def build(self) -> "ROCrate":
        """The whole crate."""
        crate = self.crate
        crate.name = "Multi-Modal Multi-Action Video Recognition: a run of the pipeline"
        crate.description = "Every stage of dvc.yaml as it ran, with its code, parameters, inputs and outputs."
        crate.datePublished = max(record["ended"] for record in self.records.values())
        crate.license = self._add("https://spdx.org/licenses/Apache-2.0", {
            "@type": "CreativeWork", "name": "Apache License 2.0",
            "description": "The code's licence; data sets and published weights keep their own terms.",
        })  # fmt: skip
        crate.metadata.extra_terms.update(TERMS)
        for profile, name in PROFILES.items():
            properties = {"@type": "CreativeWork", "name": name, "version": profile.rpartition("/")[2]}
            crate.root_dataset.append_to("conformsTo", self._add(profile, properties))
        workflow = self._workflow()
        actions = {name: self._action(name) for name in self.stages}
        self._run(workflow, actions)
        self._checks()
        return crate

    def _checks(self) -> None:
        """What others need to recompute every digest, and the project's README."""
        if (self.root / README).exists():
            copy_to(self.root / README, self.folder / PROJECT_README, link=False)
            self._described(PROJECT_README)
        about = {crate_checks.README: {"about": {"@id": "./"}}}
        for path in crate_checks.write_checks(self.folder, self.unchanged, self.records):
            self._described(path, **about.get(path, {}))
        self.crate.add_file(dest_path=crate_checks.ALL, properties={
            "name": crate_checks.ALL, "encodingFormat": FORMATS[".txt"],
            "description": "SHA-256 of every other file of the crate",
        })  # fmt: skip

    def _add(self, identifier: str, properties: Mapping[str, Any]) -> Any:
        from rocrate.model.contextentity import ContextEntity

        return self.crate.add(ContextEntity(self.crate, identifier, properties))

    def _recorded(self, entry: Recorded, stage: str) -> Any:
        """What a stage read or wrote, as an entity, if it is still the same.

        Raises:
            PlainError: it is not.
        """
        if entry not in self.unchanged:
            check_unchanged(self.root, entry, stage)
            self.unchanged.add(entry)
        entity = self._file(entry.path)
        entity["identifier"] = f"md5:{entry.md5}"
        return entity

    def _file(self, path: str, **properties: Any) -> Any:
        """A file or folder of the project, brought into the crate, as an entity; each once.

        One outside the project stays there and is only named.
        """
        inside = path.rstrip("/")
        known = self.crate.get(inside) or self.crate.get(inside + "/")
        if known is not None:
            return known
        source = self.root / path
        if not source.resolve().is_relative_to(self.root.resolve()):
            outside = f"#outside-{quote(path)}"
            properties = {"@type": "CreativeWork", "name": path, **properties}
            return self.crate.get(outside) or self._add(outside, properties)
        written = any(lock.holds(out, path) for out in self.written)
        copy_to(source, self.folder / path, link=written)
        if source.is_dir():
            return self.crate.add_directory(dest_path=path, properties={"name": path, **properties})
        return self._described(path, **properties)

    def _described(self, path: str, **properties: Any) -> Any:
        """A file that is in the crate already, as an entity."""
        file = self.folder / path
        return self.crate.add_file(dest_path=path, properties={
            "name": path, "contentSize": str(file.stat().st_size),
            "encodingFormat": FORMATS.get(file.suffix, OTHER_FORMAT), **properties,
        })  # fmt: skip

    def _workflow(self) -> Any:
        """dvc.yaml as the workflow: its steps in running order, and the tools that they run."""
        from rocrate.model.computerlanguage import ComputerLanguage

        crate = self.crate
        copy_to(self.root / WORKFLOW, self.folder / WORKFLOW, link=False)
        language = ComputerLanguage(crate, identifier="https://dvc.org", properties={
            "name": "DVC pipeline", "url": {"@id": "https://dvc.org"}, "version": self._version("dvc"),
        })  # fmt: skip
        crate.add(language)
        workflow = crate.add_workflow(
            dest_path=WORKFLOW, main=True, lang=language,
            properties={"@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                        "name": "Multi-action recognition pipeline", "encodingFormat": FORMATS[".yaml"],
                        "version": self._revision(next(iter(self.stages)))},
        )  # fmt: skip
        tools, steps = [], []
        for position, name in enumerate(self.stages):
            tool = self._file(f"stages/{name}.py", **TOOL, version=self._revision(name))
            step = self._add(f"#step-{name}", {"@type": "HowToStep", "name": name, "position": str(position)})
            step["workExample"] = tool
            tools.append(tool)
            steps.append(step)
        workflow["hasPart"], workflow["step"] = _single(tools), _single(steps)
        return workflow

    def _version(self, package: str) -> str:
        return str(next(iter(self.records.values()))["versions"][package])

    def _revision(self, stage: str) -> str:
        git = self.records[stage]["git"]
        return f"{git['revision']}, changed: {', '.join(git['changed'])}" if git["changed"] else str(git["revision"])

    def _action(self, name: str) -> Any:
        """One stage's run: its tool, what it read, what it wrote, with which parameters, at what cost."""
        stage, record = self.stages[name], self.records[name]
        action = self._add(f"#run-{name}", {
            "@type": "CreateAction", "name": f"run of stage {name}", "actionStatus": COMPLETED,
            "startTime": record["started"], "endTime": record["ended"],
            "description": f"{record['seconds']} s on {record['host']['cpu']}, device {record['device']}, "
                           f"Python {record['versions']['python']}, git {self._revision(name)}",
        })  # fmt: skip
        action["instrument"] = self.crate.get(f"stages/{name}.py")
        parameters = [
            self._add(
                f"#param-{name}-{key}",
                {"@type": "PropertyValue", "name": key, "value": json.dumps(value, sort_keys=True)},
            )
            for key, value in stage.params.items()
        ]
        action["object"] = _single([*(self._recorded(dep, name) for dep in stage.deps), *parameters])
        action["result"] = _single([self._recorded(out, name) for out in stage.outs])
        action["resourceUsage"] = self._add(f"#memory-{name}", {
            "@type": "PropertyValue", "name": "peak resident memory", "value": str(record["peak_memory_mb"]["self"]),
            "propertyID": "https://man7.org/linux/man-pages/man2/getrusage.2.html#ru_maxrss",
            "unitCode": "https://qudt.org/vocab/unit/MegaBYTE",
        })  # fmt: skip
        return action

    def _run(self, workflow: Any, actions: Mapping[str, Any]) -> None:
        """The run of the whole: DVC orders it, each step controls a stage's run."""
        records = self.records.values()
        times = {"startTime": min(record["started"] for record in records),
                 "endTime": max(record["ended"] for record in records)}  # fmt: skip
        whole = self._add("#run", {
            "@type": "CreateAction", "name": "run of the pipeline", "actionStatus": COMPLETED, **times,
            "description": f"{len(actions)} stages, each at its last run; DVC leaves out what has not changed",
        })  # fmt: skip
        whole["instrument"] = workflow
        shared = (*SETTINGS, *lock.UNDECLARED)
        whole["object"] = _single([self._file(path) for path in shared if (self.root / path).exists()])
        whole["result"] = _single([self._file(path) for path in self.written])
        dvc = self._version("dvc")
        engine = self._add(f"https://pypi.org/project/dvc/{dvc}/", {
            "@type": "SoftwareApplication", "name": "DVC", "url": "https://dvc.org", "softwareVersion": dvc,
        })  # fmt: skip
        order = self._add("#orchestration", {"@type": "OrganizeAction", "name": "dvc repro", **times})
        order["instrument"], order["result"] = engine, whole
        controls = [self._control(name, action) for name, action in actions.items()]
        order["object"] = _single(controls)
        self.crate.root_dataset["mentions"] = [whole, order, *actions.values()]

    def _control(self, name: str, action: Any) -> Any:
        control = self._add(f"#control-{name}", {"@type": "ControlAction", "name": f"DVC runs stage {name}"})
        control["instrument"], control["object"] = self.crate.get(f"#step-{name}"), action
        return control


def _single(entities: Sequence[Any]) -> Any:
    """The entities, or the only one by itself: RO-Crate's JSON has no lists of one."""
    return entities[0] if len(entities) == 1 else entities
