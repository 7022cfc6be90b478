#!/bin/sh
# Bring a virtual environment to what is asked for: environment/install.sh VENV [PYTHON [TORCH_INDEX [EXTRAS]]]
#
# An empty argument means: as it is there, and in a new one the newest Python, PyTorch for CPUs, no extras. Extras add
# up: what was there stays. Another Python makes the environment anew; another index exchanges PyTorch. VENV/.installed
# tells what is there, so that the same wishes again do nothing. Each file's hash is checked against requirements.lock.
set -eu

venv=$1 python=${2:-} index=${3:-} extras=${4:-}
stamp=$venv/.installed
supported='3.11.4 to 3.13'
export PIP_DISABLE_PIP_VERSION_CHECK=1

complain() {
    echo "$*" >&2
    exit 1
}

fits() { # it runs (a shim may stand for nothing), its version is supported, and it can make environments
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11, 4) <= sys.version_info < (3, 14))' >/dev/null 2>&1
}

version() {
    "$1" -c 'import platform; print(platform.python_version())'
}

was() {
    sed -n "s/^$1: //p" "$stamp" 2>/dev/null || true
}

section() { # print sections of the lock, by name
    awk -v wanted=" $* " '/^# == /{on = index(wanted, " " $3 " ")} on' requirements.lock
}

install() {
    "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation "$@"
}

if [ -n "$python" ]; then
    fits "$python" || complain "PYTHON=$python: expected a Python $supported that runs and has its venv module"
elif fits "$venv/bin/python"; then
    python=$venv/bin/python
else
    for candidate in python3.13 python3.12 python3.11 python3; do
        if fits "$candidate"; then python=$candidate && break; fi
    done
    [ -n "$python" ] || complain "no Python $supported with its venv module found: install one (Debian, Ubuntu:" \
        "apt install python3-venv), or say where one is: make PYTHON=/path/to/python3.12"
fi
release=$(version "$python")

# One name a line, sorted; nothing but extras that the lock knows.
known=$(sed -n 's/^# == \(.*\) ==$/\1/p' requirements.lock | grep -vxE 'build|base|cuda|torch')
for extra in $extras; do
    case " $(echo $known) all " in
        *" $extra "*) ;;
        *) complain "EXTRAS: found '$extra', expected some of $(echo $known), or all" ;;
    esac
    [ "$extra" != all ] || extras="$extras $(echo "$known" | grep -vx lock)"
done

extras="$extras $(was extras)" index=${index:-$(was torch)}
index=${index:-https://download.pytorch.org/whl/cpu}
extras=$(printf '%s\n' $extras | grep -vx all | sort -u | tr '\n' ' ')
wanted="python: $release
torch: $index
extras: $extras
lock: $(cat requirements.lock pyproject.toml | cksum)"
[ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ] || exit 0

echo "installing into $venv: Python $release, PyTorch of $index, extras: ${extras:-none}"
exchange=
if [ ! -x "$venv/bin/python" ] || [ "$(version "$venv/bin/python" || true)" != "$release" ]; then
    "$python" -m venv --clear "$venv"
fi
[ "$(was torch)" = "$index" ] || exchange=--force-reinstall
rm -f "$stamp"
case $index in
    */cpu | */cpu/) cuda= ;;
    *) cuda=cuda ;;
esac
requirements=$venv/requirements.txt
section build >"$requirements"
install --require-hashes -r "$requirements"
section base $extras $cuda >"$requirements"
install --require-hashes -r "$requirements"
section torch >"$requirements"
install --require-hashes $exchange --index-url "$index" -r "$requirements" || complain "PyTorch: $index has no build" \
    "for Python $release here that requirements.lock knows, or cannot be reached; PyPI's, for CUDA 13.0, runs on CPUs" \
    "too: TORCH_INDEX=https://pypi.org/simple"
install -e .
echo "$wanted" >"$stamp"
