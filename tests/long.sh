#!/bin/sh
# What takes too long for every change: run once an issue, from `make long`; tells all that fails.
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$root" || exit 1
failed=
export QUARTER=all

# What pyenv has, uv does not look for.
for versions in "$HOME"/.pyenv/versions/3.*/bin; do PATH="$PATH:$versions"; done

part() {
    name=$1
    shift
    echo "== $name: $*"
    "$@" || failed="$failed $name"
}

# An environment of its own, with the versions that uv is told to take, for all but the slow tests.
elsewhere() {
    python=$1
    shift
    uv pip install -q -p "$here/$python/bin/python" "$@" -e ".[dev]" &&
        "$here/$python/bin/python" -m pytest -n auto --dist worksteal -m "not slow" &&
        rm -rf "${here:?}/$python"
}

# All quarters, two at a time.
quarters() {
    printf '%s\n' 0 1 2 3 | xargs -P 2 -I Q python "benchmarks/$@" --quarter Q
}

for capability in avx2 default; do part "$capability" sh tests/numerical.sh $capability; done

uv venv -q -p 3.11 "$here/lowest" 2>/dev/null || python -m venv "$here/lowest"
part lowest elsewhere lowest --resolution lowest-direct

for python in 3.11 3.12 3.13; do
    if [ "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = $python ]; then
        continue
    elif uv venv -q -p $python "$here/$python" 2>/dev/null; then
        part "python$python" elsewhere $python -c constraints.txt
    else
        echo "== python$python: skipped, there is none here"
    fi
done

part slow python -m pytest -n auto --dist loadgroup -m slow
part claims isoexp reproduce all --smoke out="$here/runs"
part fuzz quarters fuzz.py --lines 10000
part corrupt quarters corrupt.py --count 3000
part fuzz-processes quarters fuzz.py --lines 200 --seed 1 --processes
part kills python benchmarks/kill.py --kills 200 --out "$here/kill"

test -z "$failed" || { echo "failed:$failed"; exit 1; }
echo "all passed"
