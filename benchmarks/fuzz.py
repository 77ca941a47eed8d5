"""Types command lines at random, and holds each to what a command line promises.

    python benchmarks/fuzz.py --lines 10000               all of them, in this process
    python benchmarks/fuzz.py --lines 800 --quarter 3     each fourth
    python benchmarks/fuzz.py --only 4711                 one again, with what it prints
    python benchmarks/fuzz.py --lines 200 --processes     each as a process of its own

A line is drawn from the choices and the settings that there are, from values right and wrong, and
from slips of the hand; it trains one update at most. It may succeed (0), end in a failed run (1)
or be refused (2); never in a traceback, nor after 30 s of work (a busy machine counts for nothing
in that), nor when it has waited 300 s. What is refused says so in one line and leaves nothing
behind; a failed run is told in one line. Linux only.
"""

import argparse
import contextlib
import io
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from isoexp.cli import main as isoexp
from isoexp.config.compose import compose
from isoexp.config.groups import COMMANDS, GROUPS, choices
from isoexp.store.identity import flat

LIMIT_S, STUCK_S = 30, 300
"""The processor's time and the clock's that a line may take."""

MEMORY_B = 12 * 2**30

KEPT = 8
"""The lines whose runs lie there for others: `isoexp probe runs` puts probes to them all."""

SMALL = {
    "data": "spheres", "data.train": "64", "data.valid": "16", "data.test": "16",
    "batch_size": "24", "steps": "1", "probe": "none", "figures": "false",
}  # fmt: skip
"""What a line says of itself, unless what is drawn says otherwise."""

LONG = {"data", "epochs", "steps", "seeds", "sweep.workers", "sweep.fresh", "search.trials"}
"""What would make a line long: not drawn but for values that are refused."""

VALUES = (
    "0", "1", "2", "-1", "3", "0.5", "1e-3", "1e3", "inf", "-inf", "nan", "true", "false", "null",
    "", "''", "abc", "[]", "[8]", "[8,8]", "[0]", "[a]", "{}", "{a:1}", "[[1]]", "???", "1_000",
    "0x10", "1e400", "99999999999999999999", "${seed}", "${nowhere}", "${oc.env:HOME}", "${",
    "'a b'", '"', "\\", "é", "😀", "a/b", "..", "/", "~", "-", "--", "=", "a=b", "null,1",
    "range(0,2)", "range(2,0)", "range(0)", "choice(1,2)", "interval(0,1)", "glob(*)", "sort(2,1)",
    "tag(a,b)", "sweep(1)", "torch.nn.Tanh", "os.system", "isoexp.activations.IsoTanh", "\x1b[2J",
    "a\nb", "a\tb", "x" * 300,
)  # fmt: skip

ELSEWHERE = {
    "ls": ("runs", "nowhere", ".", "runs/main"),
    "show": ("runs", "main", "nowhere", ".", "0"),
    "list": tuple(GROUPS),
    "figures": ("runs", "nowhere"),
    "probe": ("runs", "probe=none", "probe=[spectrum]", "nowhere"),
    "report": ("runs", "nowhere"),
    "audit": ("activation=tanh", "nowhere", "math:sqrt", "activation=iso_tanh"),
    "reproduce": ("static_refraction", "nowhere", "--plan", "--smoke", "--confirm", "--amend why"),
    "search": ("optimizer.lr=interval(1e-3,1e-1)", "search.trials=1", "seed=0"),
    "completion": ("bash", "zsh", "fish", "cmd"),
}
"""What commands other than train are given."""

OPTIONS = (
    "--help", "--cfg", "--dry-run", "--multirun", "-m", "--allow", "--config-dir", "--config-dir .",
    "-x", "--", "-", "--allow os",
)  # fmt: skip


def leaves() -> dict[str, object]:
    """The settings of the default run, with their values."""

    settings = flat(dict(compose([]).config), 0)

    return {
        key: settings[key]
        for key in sorted(settings)
        if "_target_" not in key and "probe" not in key
    }


def drawn(seed: str, defaults: Mapping[str, object]) -> list[str]:
    """Draws a command line; the same for the same seed."""

    draw = random.Random(seed)
    if draw.random() < 0.25:
        command = draw.choice([*ELSEWHERE, *COMMANDS])
        given = draw.choices(ELSEWHERE.get(command, ("",)), k=draw.randrange(command == "audit", 3))
        if draw.random() < 0.3:
            given.append(draw.choice(OPTIONS))
        if draw.random() < 0.3:
            given.append(_assignment(draw, defaults))
        words = [command, *" ".join(given).split(" ")] if given else [command]
        if command == "search":
            words += [f"{k}={v}" for k, v in SMALL.items()] + ["search.trials=1"]
        if command == "probe" and not any("probe=" in word for word in words):
            words.append("probe=[spectrum]")  # all of them, to all runs, is work for minutes
        words = _slip(draw, words) if draw.random() < 0.2 else words
        return [*words, "--dry-run"] if command == "reproduce" else words  # a claim is no update

    said = [_assignment(draw, defaults) for _ in range(draw.randrange(1, 5))]
    own = {word.partition("=")[0].lstrip("+~") for word in said}
    pinned = [f"{k}={v}" for k, v in SMALL.items() if k not in own]
    if draw.random() < 0.2:
        said += draw.choice(OPTIONS).split()
    # A worker of a sweep takes seconds to begin: fewer of them make more lines.
    sweep = ["-m", "sweep.workers=1"] if draw.random() < 0.125 else []
    words = ["train", *sweep, *pinned, *said]

    return _slip(draw, words, len(words) - len(said)) if draw.random() < 0.25 else words


def _assignment(draw: random.Random, defaults: Mapping[str, object]) -> str:
    if draw.random() < 0.5:
        group = draw.choice([g for g in GROUPS if g not in ("experiment", "claim", *LONG)])
        some = draw.sample(sorted(choices()[group]), 1 + (draw.random() < 0.15))
        return f"{group}={','.join(some)}"

    key = draw.choice([k for k in defaults if k not in LONG])
    prefix = draw.choices(("", "+", "++", "~"), (20, 1, 1, 1))[0]
    value = draw.choice(VALUES) if draw.random() < 0.25 else _near(draw, defaults[key])

    return prefix + key if prefix == "~" and draw.random() < 0.5 else f"{prefix}{key}={value}"


def _near(draw: random.Random, value: object) -> str:
    """A value of the kind that a setting has."""

    if isinstance(value, bool):
        return draw.choice(("true", "false"))
    if isinstance(value, int):
        return draw.choice((str(value), str(value + 1), "1", "2,3"))
    if isinstance(value, float):
        return draw.choice((repr(value), repr(value / 2), repr(2 * value), "0.25,0.75"))

    return "null" if value is None else str(value).replace(" ", "")


def _slip(draw: random.Random, words: list[str], least: int = 0) -> list[str]:
    """Slips of the hand: a letter lost, doubled, changed or moved; a word lost, doubled, moved."""

    at = draw.randrange(least, len(words))
    word = words[at]
    i = draw.randrange(len(word) + 1)
    slips = [
        [word[:i] + word[i + 1 :]], [word[:i] + word[i : i + 1] + word[i:]],
        [word[:i] + draw.choice("=,.[]{}$~+'\" é\x00\n") + word[i:]],
        [word[:i] + word[i + 1 : i + 2] + word[i : i + 1] + word[i + 2 :]],
        [], [word, word], [word[:i], word[i:]],
    ]  # fmt: skip

    return [*words[:at], *draw.choice(slips), *words[at + 1 :]]


class Late(BaseException):
    """A line that took too long: no handler of failed runs may take it for one."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    def late(number: int, _: object) -> None:
        told = f"{LIMIT_S} s of work" if number == signal.SIGPROF else f"{STUCK_S} s"
        raise Late(f"not done after {told}")

    for each in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(each, late)
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    signal.alarm(STUCK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)


def here(words: list[str]) -> tuple[int | str, str, str]:
    """Runs a line in this process: its exit code, or what it raised; what it printed."""

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with limited():
                code: int | str = isoexp(words)
        except SystemExit as error:
            code = f"SystemExit({error.code})"
        except (Exception, Late):
            code = traceback.format_exc()

    return code, out.getvalue(), err.getvalue()


def apart(words: list[str]) -> tuple[int | str, str, str]:
    """Runs a line as a process of its own."""

    line = [sys.executable, "-m", "isoexp", *words]
    work = partial(resource.setrlimit, resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))
    try:
        done = subprocess.run(
            line, capture_output=True, timeout=STUCK_S, check=False, preexec_fn=work
        )
    except subprocess.TimeoutExpired:
        return f"not done after {STUCK_S} s", "", ""
    except ValueError:  # a null byte, which no shell could have passed
        return 2, "", "isoexp: not a command line\n"

    return done.returncode, done.stdout.decode(), done.stderr.decode()


def complaint(
    code: int | str, out: str, err: str, before: set[Path], after: set[Path]
) -> str | None:
    """What is wrong with how a line ended, or None."""

    if code not in (0, 1, 2):
        return str(code)
    if "Traceback (most recent call last)" in out + err:
        return "a traceback is printed"
    if code == 0:
        return None
    if code == 2 and after - before:
        return f"refused, but left {sorted(map(str, after - before))[:3]}"
    lines = err.splitlines()
    told = [line for line in lines if line.startswith("isoexp: ")]
    if code == 2 and (len(lines) != 1 or len(told) != 1 or err[-1] != "\n"):
        return f"refused in {len(lines)} lines"
    if code == 1 and not lines:
        return "failed in silence"

    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="Types command lines at random.")
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quarter", default="all", help="0 to 3, or all")
    parser.add_argument("--only", type=int, help="one line, and what it prints")
    parser.add_argument("--processes", action="store_true", help="each as a process of its own")
    options = parser.parse_args()

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_B, most))
    folder = Path(tempfile.mkdtemp(prefix="isoexp-fuzz-"))
    os.chdir(folder)
    os.environ.update(HOME=str(folder / "home"), WANDB_MODE="offline", COLUMNS="80")
    defaults = leaves()
    numbers = range(options.lines) if options.only is None else [options.only]
    if options.quarter != "all":
        numbers = [n for n in numbers if n % 4 == int(options.quarter)]

    ends: Counter[object] = Counter()
    clock = time.monotonic if options.processes else time.process_time
    slowest = (0.0, -1)
    fallen = 0
    for place, n in enumerate(numbers, start=1):
        words = drawn(f"{options.seed}-{n}", defaults)
        before = set(folder.rglob("*"))
        began = clock()
        code, out, err = (apart if options.processes else here)(words)
        slowest = max(slowest, (clock() - began, n))
        wrong = complaint(code, out, err, before, set(folder.rglob("*")))
        ends[code if code in (0, 1, 2) else "fell"] += 1
        if wrong or options.only is not None:
            fallen += wrong is not None
            print(f"--- {n}: {' '.join(map(repr, words))}\n{out[-2000:]}{err[-2000:]}{wrong or ''}")
        if place % KEPT == 0:
            shutil.rmtree(folder / "runs", ignore_errors=True)

    os.chdir("/")
    shutil.rmtree(folder, ignore_errors=True)
    told = ", ".join(f"{count} with {code}" for code, count in sorted(ends.items(), key=str))
    print(f"{len(numbers)} lines ended, {told}; {fallen} fell", end="; ")
    print(f"the slowest, {slowest[1]}, took {slowest[0]:.1f} s")

    return int(fallen > 0)


if __name__ == "__main__":
    sys.exit(main())
