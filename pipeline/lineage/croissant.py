"""The mini split and the lexicons as a Croissant data set, so that others' tools can load them.

Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html) says what the files and columns are;
W3C's PROV-O inside it says which run of which stage made each file from which others. The same run gives the same
bytes: the columns are those of tables.yaml, and every date is one that the stages recorded.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import atomic_write, sha256
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.manifest import read_manifest
from pipeline.foundations.tables.schemas import SCHEMAS
from pipeline.lineage import lock
from pipeline.lineage.finished import check_unchanged, copy_to, read_record
from pipeline.lineage.lock import Recorded, Stage

ACTIONS = "data/index/actions.parquet"
TABLES = {
    "actions": ("actions", ACTIONS, "The vocabulary of actions."),
    "train": ("splits", "data/splits/train.parquet", "The training videos, with the action that each was drawn for."),
    "val": ("splits", "data/splits/val.parquet", "The validation videos."),
    "test": ("splits", "data/splits/test.parquet", "The test videos."),
    "audio": ("audio", "data/lexicons/audio.parquet", "The audio lexicon: forms of sound and the actions they mean."),
    "text": ("text", "data/lexicons/text.parquet", "The text lexicon: one form an action, from the words of its name."),
}
"""Record set: the schema of its table, the file, and what it is."""
TYPES = {
    pa.string(): "sc:Text", pa.bool_(): "sc:Boolean", pa.int16(): "cr:Int16", pa.int32(): "cr:Int32",
    pa.int64(): "cr:Int64", pa.float32(): "cr:Float32", pa.float64(): "cr:Float64",
}  # fmt: skip
CROISSANT_TERMS = ("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field",
                   "fileProperty", "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset",
                   "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated",
                   "replace", "samplingRate", "separator", "source", "subField", "transform")  # fmt: skip
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in CROISSANT_TERMS},
}
"""The specification's, and PROV's namespace."""
PAPER = (
    "@InProceedings{Shi_2021_ICCV, author = {Shi, Zhensheng and Liang, Ju and Li, Qianqian and Zheng, Haiyong and "
    "Gu, Zhaorui and Dong, Junyu and Zheng, Bing}, title = {Multi-Modal Multi-Action Video Recognition}, "
    "booktitle = {ICCV}, year = {2021}}"
)


def write_croissant(root: Path, target: Path) -> int:
    """Write a folder of the tables, by hard link where possible, and `croissant.json`, which describes them.

    Returns the number of tables.

    Raises:
        PlainError: a stage that makes one of the tables has not run or left no record, or a table has changed since.
    """
    stages = lock.read_stages(root)
    makers = {path: _maker(root, stages, path) for _, path, _ in TABLES.values()}
    with atomic_write(target) as draft:
        for path in makers:
            copy_to(root / path, draft / path, link=True)
        content = json.dumps(_describe(root, makers), indent=2, sort_keys=True, ensure_ascii=False)
        (draft / "croissant.json").write_text(content + "\n", encoding="utf-8")
    return len(makers)


def _maker(root: Path, stages: Mapping[str, Stage], path: str) -> Stage:
    """The stage whose run made a table, which is still as it was."""
    for stage in stages.values():
        for out in stage.outs:
            if out.path == path:
                check_unchanged(root, out, stage.name)
                return stage
    raise PlainError(f"{path}: no stage in dvc.lock wrote it; run `dvc repro` first")


def _describe(root: Path, makers: Mapping[str, Stage]) -> dict[str, Any]:
    """The whole of croissant.json."""
    digests = {path: sha256(root / path) for path in makers}
    records = {stage.name: read_record(root, stage) for stage in makers.values()}
    content = hashlib.sha256("".join(digests.values()).encode()).hexdigest()
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        **_about(root, makers[ACTIONS]),
        "version": f"1.0.0+{content[:12]}",
        "datePublished": max(record["ended"] for record in records.values()),
        "citeAs": PAPER,
        "distribution": [
            _file(root, path, stage, records[stage.name], digests) for path, stage in makers.items()
        ],
        "recordSet": [_record_set(root, name, *about) for name, about in TABLES.items()],
    }  # fmt: skip


def _about(root: Path, index: Stage) -> dict[str, str]:
    """What is described, and its licence; a folder of imported features tells both of itself."""
    dataset, whose, name = index.params.get("dataset", {}), "Mini M-MiT's split", "mini-split-and-lexicons"
    licence = "No licence stated here; the videos and word vectors keep the terms of their publishers."
    if dataset.get("source") == "features":
        manifest = read_manifest(root / dataset["folder"] / dataset["annotations"])
        whose, name = f"The splits of {manifest.title}", "splits-and-lexicons"
        licence = f"{manifest.licence}, as the folder of features states; word vectors keep the terms of their own."
    return {
        "name": name,
        "description": f"{whose} with the audio and text lexicons that multi-action recognition builds on it. "
                       "Videos are named, not contained.",
        "license": licence,
    }  # fmt: skip


def _file(root: Path, path: str, maker: Stage, record: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """A table's file: where it is, its digest, and the run that made it."""
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": Path(path).name,
        "contentUrl": path,
        "contentSize": f"{(root / path).stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": digests[path],
        "prov:wasDerivedFrom": [_entity(dep, digests) for dep in maker.inputs],
        "prov:wasGeneratedBy": _activity(maker, record),
    }


def _entity(dep: Recorded, described: Mapping[str, str]) -> dict[str, str]:
    """What a table was made from: one of the described files, or a file of the run by its digest."""
    if dep.path in described:
        return {"@id": dep.path}
    return {"@id": f"urn:md5:{dep.md5}", "@type": "prov:Entity", "prov:label": dep.path}


def _activity(stage: Stage, record: Mapping[str, Any]) -> dict[str, Any]:
    """The run of a stage: when, with which code and parameters, by which programs."""
    git, versions = record["git"], record["versions"]
    programs = ", ".join(f"{package} {version}" for package, version in versions.items())
    parameters = [f"{key} = {json.dumps(value, sort_keys=True)}" for key, value in stage.params.items()]
    code = [{"@id": f"urn:md5:{dep.md5}", "@type": "prov:Entity", "prov:label": dep.path} for dep in stage.code]
    return {
        "@id": f"#run-{stage.name}",
        "@type": "prov:Activity",
        "prov:label": f"run of stage {stage.name}",
        "prov:startedAtTime": record["started"],
        "prov:endedAtTime": record["ended"],
        "prov:used": [*code, *({"@type": "prov:Entity", "prov:value": text} for text in parameters)],
        "prov:wasAssociatedWith": {
            "@type": "prov:SoftwareAgent",
            "prov:label": f"git {git['revision']}{', changed' if git['changed'] else ''}; {programs}",
        },
    }


def _record_set(root: Path, name: str, schema: str, path: str, about: str) -> dict[str, Any]:
    """A table's rows: its columns as tables.yaml has them, as wide as they are here, and the key of a row."""
    columns = tables.as_found(schema, pq.read_schema(root / path))
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": about,
        "key": [{"@id": f"{name}/{column}"} for column in SCHEMAS[schema].key],
        "field": [_field(name, path, column) for column in columns],
    }


def _field(record_set: str, path: str, column: pa.Field) -> dict[str, Any]:
    """A column: its type, its meaning, and where it is read."""
    field = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column.name}",
        "name": column.name,
        "description": column.metadata[b"about"].decode(),
        "source": {"fileObject": {"@id": path}, "extract": {"column": column.name}},
    }
    if column.name == "action_id" and record_set != "actions":
        field["references"] = {"field": {"@id": "actions/action_id"}}
    if pa.types.is_fixed_size_list(column.type):
        return field | {"dataType": TYPES[column.type.value_type], "isArray": True,
                        "arrayShape": str(column.type.list_size)}  # fmt: skip
    if pa.types.is_list(column.type):
        return field | {"dataType": TYPES[column.type.value_type], "isArray": True, "arrayShape": "-1"}
    return field | {"dataType": TYPES[column.type]}
