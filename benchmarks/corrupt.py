"""Damages folders of runs at random, and holds each command that reads them to what it promises.

    python benchmarks/corrupt.py --count 3000             all of them, in this process
    python benchmarks/corrupt.py --count 400 --quarter 3  each fourth
    python benchmarks/corrupt.py --only 4711              one again, with what it prints

Small studies are trained once: two finished runs, one that failed, a search, a claim. Each case
copies one, damages one to three of its files as a failing disk, a kill or a careless hand would,
and types a command that reads it. That may succeed (0), fail (1) or be refused (2); never in a
traceback, nor after 30 s; a run that is damaged is told of in one line. Linux only.
"""

import argparse
import contextlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fuzz import LIMIT_S, MEMORY_B, SMALL, here

TINY = [f"{key}={value}" for key, value in SMALL.items() if key not in ("probe", "steps")]
PLAIN = ["train", *TINY, "steps=3", "seeds=2", "snapshots=1", "probe=[spectrum]", "name=plain"]
SEARCH = ["search", *TINY, "steps=1", "activation=tanh,relu", "search.trials=2", "name=found",
          "sweep.workers=1"]  # fmt: skip
CLAIM = ["reproduce", "brief", "--smoke", "--config-dir", "mine", "sweep.workers=1", "name=claim"]

FILE = """\
title: it runs
claim: A is no worse than B.
section: "0"
expected: inconclusive
cost: 1
common: data=spheres data.train=64 data.valid=16 data.test=16 batch_size=24 steps=2 probe=none
arms: {a: activation=tanh, b: activation=relu}
seeds: 2
metrics: {loss: test/loss}
comparisons:
  - {contrast: a - b, metric: loss, expects: less, margin: 0.1}
  - {contrast: a, metric: loss, expects: greater, margin: 0.1, role: control}
scales: {smoke: {}}
"""
"""A claim that takes moments."""

READERS = {
    "plain": (
        ["ls"], ["show", "RUN"], ["report"], ["read"], ["figures", "runs"],
        ["probe", "runs", "probe=[decisions]", "figures=false"],
        ["probe", "RUN", "probe=[spectrum]", "figures=false", "force=true"], PLAIN,
        ["report", "--compare", "runs/plain", "runs/plain"],
    ),
    "found": (["ls"], ["report"], SEARCH),
    "claim": (["ls"], ["report"], CLAIM),
}  # fmt: skip
"""The commands that read each study."""

Damage = Callable[[random.Random, Path], None]


def cut(draw: random.Random, path: Path) -> None:
    os.truncate(path, draw.randrange(path.stat().st_size + 1))


def flip(draw: random.Random, path: Path) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 1, 3, 30)) if content else 0):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def empty(draw: random.Random, path: Path) -> None:
    path.write_bytes(b"")


def zero(draw: random.Random, path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def delete(draw: random.Random, path: Path) -> None:
    path.unlink()


def folder(draw: random.Random, path: Path) -> None:
    path.unlink()
    path.mkdir()


def another(draw: random.Random, path: Path) -> None:
    """The content of another file of the study."""

    others = sorted(each for each in path.parent.rglob("*") if each.is_file() and each != path)
    if others:
        path.write_bytes(draw.choice(others).read_bytes())


def garbage(draw: random.Random, path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    some = (b"garbage\n", b"\x00\xff\xfe\n", b"[1, 2]\n", b"{}\n", b"null\n", draw.randbytes(64))
    lines.insert(draw.randrange(len(lines) + 1), draw.choice(some))
    path.write_bytes(b"".join(lines))


def nested(draw: random.Random, path: Path) -> None:
    text = draw.choice(("[", '{"a":', "- ", "{a: [")) * draw.choice((60, 900, 100_000))
    path.write_text(text)


def retyped(draw: random.Random, path: Path) -> None:
    """A value of another type in text that stays valid."""

    text = path.read_bytes().decode(errors="replace")
    values = ("null", "5", '"a"', "[]", "{}", "[[1]]", '{"a": 1}', "true", "1e400", "-1", "NaN",
              str(10**30), "0.5", '"\\u0000\\n"')  # fmt: skip
    places = [at for at, character in enumerate(text) if character == ":"]
    if not places:
        garbage(draw, path)
        return
    at = draw.choice(places) + 1
    end = min((e for e in (text.find(mark, at) for mark in ",\n}") if e >= 0), default=len(text))
    path.write_text(f"{text[:at]} {draw.choice(values)}{text[end:]}")


DAMAGES: tuple[Damage, ...] = (
    cut, flip, flip, empty, zero, delete, folder, another, garbage, nested, retyped, retyped,
    retyped,
)  # fmt: skip


def studies(home: Path) -> dict[str, Path]:
    """Trains the studies that are damaged, each in a folder of its own."""

    found = {}
    for name, line in (("plain", PLAIN), ("found", SEARCH), ("claim", CLAIM)):
        found[name] = home / name
        (found[name] / "mine/claim").mkdir(parents=True)
        (found[name] / "mine/claim/brief.yaml").write_text(FILE)
        os.chdir(found[name])
        code, out, err = here(line)
        if code != 0:
            raise SystemExit(f"{' '.join(line)} ended with {code}:\n{out}{err}")

    os.chdir(found["plain"])  # and one that failed
    code, *_ = here(["train", *TINY, "steps=3", "optimizer=sgd", "optimizer.lr=1e30", "name=plain"])
    if code not in (0, 1):
        raise SystemExit(f"the run that is to fail ended with {code}")

    return found


def damaged(draw: random.Random, root: Path) -> list[str]:
    """Damages files below a folder; says which, and how."""

    said = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        files = sorted(
            path for path in root.rglob("*")
            if path.is_file() and ".lock" not in path.name and path.suffix != ".png"
        )  # fmt: skip
        if not files:
            break
        path, damage = draw.choice(files), draw.choice(DAMAGES)
        damage(draw, path)
        said.append(f"{damage.__name__} {path.relative_to(root)}")

    return said


def read() -> tuple[int | str, str, str]:
    """Reads all tables as Python does."""

    import warnings

    import isoexp

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for table in ("metrics", "spectrum"):
            with contextlib.suppress(FileNotFoundError, ValueError):
                isoexp.read("runs", table)

    return 0, "", "".join(f"{each.message}\n" for each in told)


def complaint(code: int | str, out: str, err: str) -> str | None:
    """What is wrong with how a command ended, or None."""

    if code not in (0, 1, 2):
        return str(code)
    if "Traceback (most recent call last)" in out + err:
        return "a traceback is printed"
    lines = err.splitlines()
    if code == 2 and len(lines) != 1:
        return f"refused in {len(lines)} lines"
    if code == 1 and not lines + out.splitlines():
        return "failed in silence"
    for line, times in Counter(lines).items():
        if times > 1 and "runs/" in line:
            return f"said {times} times: {line}"
    if any(len(line) > 2000 for line in lines):
        return "a line of more than 2,000 characters"

    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="Damages folders of runs at random.")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quarter", default="all", help="0 to 3, or all")
    parser.add_argument("--only", type=int, help="one case, and what it prints")
    options = parser.parse_args()

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_B, most))
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    home = Path(tempfile.mkdtemp(prefix="isoexp-corrupt-"))
    os.environ.update(HOME=str(home / "home"), WANDB_MODE="offline", COLUMNS="80")
    whole = studies(home)
    numbers = range(options.count) if options.only is None else [options.only]
    if options.quarter != "all":
        numbers = [n for n in numbers if n % 4 == int(options.quarter)]

    ends: Counter[object] = Counter()
    slowest = (0.0, -1)
    fallen = 0
    for n in numbers:
        draw = random.Random(f"{options.seed}-{n}")
        name = draw.choices(list(whole), (6, 1, 1))[0]
        place = home / "case"
        os.chdir(home)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(whole[name], place, symlinks=True)
        os.chdir(place)
        runs = sorted(path.parent for path in Path("runs").rglob("state.json"))
        said = damaged(draw, place / "runs")
        line = [str(draw.choice(runs)) if w == "RUN" else w for w in draw.choice(READERS[name])]
        began = time.process_time()
        code, out, err = read() if line == ["read"] else here(line)
        slowest = max(slowest, (time.process_time() - began, n))
        wrong = complaint(code, out, err)
        ends[code if code in (0, 1, 2) else "fell"] += 1
        if wrong or options.only is not None:
            fallen += wrong is not None
            told = f"--- {n}: {'; '.join(said)}: {' '.join(line)}"
            print(f"{told}\n{out[-2000:]}{err[-2000:]}{wrong or ''}", flush=True)

    os.chdir("/")
    shutil.rmtree(home, ignore_errors=True)
    told = ", ".join(f"{count} with {code}" for code, count in sorted(ends.items(), key=str))
    print(f"{len(numbers)} cases ended, {told}; {fallen} fell", end="; ")
    print(f"the slowest, {slowest[1]}, took {slowest[0]:.1f} s (bound: {LIMIT_S} s)")

    return int(fallen > 0)


if __name__ == "__main__":
    sys.exit(main())
