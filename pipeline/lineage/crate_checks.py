"""What a third party needs to recompute every digest of a crate, with sha256sum and md5sum and none of this code."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.foundations.runtime.files import sha256
from pipeline.foundations.runtime.record_store import Record, pretty, result_text
from pipeline.lineage.lock import Recorded

README = "README.md"
FILES, FOLDERS, ALL = "md5sums.txt", "md5folders.txt", "sha256sums.txt"
RECORDS = "records"
COMMANDS = r"""# 1. Nothing in this folder has changed since the crate was written.
sha256sum --quiet -c sha256sums.txt

# 2. Each file that a stage read or wrote is what dvc.lock names.
md5sum --quiet -c md5sums.txt

# 3. Each folder, too: its digest is the MD5 of a JSON list of its files' digests and names, with .dir at its end.
folder_md5() {
    (
        cd "$1" || exit
        separator='['
        find . -type f ! -path '*/__pycache__/*' | cut -c3- | LC_ALL=C sort | {
            while read -r name; do
                case $name in README.md | */README.md)  # a package's page counts in no digest
                    [ ! -e "${name%README.md}__init__.py" ] || continue ;;
                esac
                printf '%s{"md5": "%s", "relpath": "%s"}' "$separator" "$(md5sum < "$name" | cut -c1-32)" "$name"
                separator=', '
            done
            printf ']'
        } | md5sum | cut -c1-32
    )
}
while read -r digest folder; do
    [ "$(folder_md5 "$folder").dir" = "$digest" ] || echo "$folder: FAILED"
done < md5folders.txt

# 4. Each record belongs to its result: its key is the SHA-256 of what the stage read, its parameters and what it wrote.
for result in records/*.result; do
    key=$(sha256sum < "$result" | cut -c1-64)
    grep -q "\"key\": \"$key\"" "${result%.result}.json" || echo "$result: FAILED"
done
"""
TEXT = f"""# A run of the pipeline, with everything that went into it

`ro-crate-metadata.json` describes it by the Provenance Run Crate profile: each stage's run, its code, parameters,
inputs and outputs. Beside it lie the files themselves, `dvc.lock` with their digests, and in `records/` what each run
left: when, on which machine, by which versions, with its log.

## Check it

In this folder, with a POSIX shell, coreutils, findutils and grep. Each command prints what fails, and nothing where
all is well:

```sh
{COMMANDS}```

The names of files in folders must be ASCII for the third; JSON writes others as `\\uXXXX`. `identifier` in
`ro-crate-metadata.json` is the digest of the second and third with `md5:` before it. What the stage `index` recorded of
each video is its SHA-256, in the column `sha256` of `data/index/videos.parquet`; of pretrained weights it is in
`models/pretrained/weights.json`. A file that is only named, since it lies outside the project, must be had from there.
"""


def write_checks(folder: Path, recorded: Iterable[Recorded], records: Mapping[str, Record]) -> list[str]:
    """Write the lists of MD5 digests, the records, and the README that says how to check them; returns their paths.

    Args:
        folder: of the crate, which holds the files already.
        recorded: what stages read and wrote, with the digests of dvc.lock; what is not in the crate is left out.
        records: the record of each stage's run.
    """
    inside = sorted({entry for entry in recorded if (folder / entry.path).is_relative_to(folder)})
    inside = [entry for entry in inside if (folder / entry.path).exists()]
    texts = {
        README: TEXT,
        FILES: "".join(f"{entry.md5}  {entry.path}\n" for entry in inside if not entry.md5.endswith(".dir")),
        FOLDERS: "".join(f"{entry.md5} {entry.path}\n" for entry in inside if entry.md5.endswith(".dir")),
    }
    (folder / RECORDS).mkdir()
    for stage, record in records.items():
        texts[f"{RECORDS}/{stage}.json"] = pretty(record)
        texts[f"{RECORDS}/{stage}.result"] = result_text(stage, record["deps"], record["params"], record["outs"])
    for path, text in texts.items():
        (folder / path).write_text(text, encoding="utf-8", newline="\n")
    return list(texts)


def write_sums(folder: Path) -> None:
    """Write the SHA-256 of every file of the crate, itself left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / ALL).write_text("".join(lines), encoding="utf-8", newline="\n")
