#!/bin/sh
# Tuned tables on the real data that come with the project, in clones below .cache/real, so that params.yaml and the
# results of this folder stay as they are: sh environment/real.sh TABLE ROWS PRESET... [-- options of m3a ablate]
# TABLE is one of m3a ablate, ROWS some of its rows, with commas, or '' for all; the tables are printed at the end.
# The clones have no dvc.lock: that of this folder names results of the sample, which a fresh clone has not.
set -eu
table=$1 rows=$2
shift 2
presets=''
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    presets="$presets $1"
    shift
done
[ $# -eq 0 ] || shift
jobs=$(getconf _NPROCESSORS_ONLN)
[ "$jobs" -le 4 ] || jobs=4  # each takes about 2 GB
for name in $presets; do
    work=.cache/real/$name
    rm -rf "$work"
    git clone -q . "$work"
    (
        cd "$work"
        git rm -q --ignore-unmatch dvc.lock data/raw/dvc.lock data/frozen/dvc.lock
        m3a preset "$name" --overwrite
        git -c user.name=real -c user.email=real@localhost commit -q --no-verify -am "Run on $name"
        m3a ablate "$table" --mode frozen --tune --rows "$rows" --jobs "$jobs" --set train.threads=1 "$@"
    )
    mkdir -p data/ablations
    cp "$work"/data/ablations/"$table"-*-"$name"* data/ablations/
done
for name in $presets; do
    cat data/ablations/"$table"-frozen-tuned-"$name".md
done
