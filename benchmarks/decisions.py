"""How often intervals miss the truth that test items are drawn from, and verdicts are wrong.

    python benchmarks/decisions.py [STUDIES]
    python benchmarks/decisions.py --claims [STUDIES]

Two arms of equal accuracy, n seeds of each, 360 test items from a pool of 1,797 (see
tests/statistics/splits.py): on one split or on a split a seed, with Student's t over seeds, with
Nadeau and Bengio's variance, and clustered both ways. Misses of a nominal 95 % interval, its half
width in points of accuracy, and that in units of the half width with the variance known.

Claims are whole ones: three arms against a first, each tuned over six rates, decided together (see
tests/statistics/whole.py). Told are the verdicts that are not so, and those that decide.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.statistics.splits import METHODS, rates
from tests.statistics.whole import DESIGNS, decides, is_wrong, verdicts

SEEDS = 8, 16, 32

EFFECTS = 0.0, 0.5, 1.0, 2.0, -0.5, -1.0, -2.0
"""True effects, in margins."""


def main(studies: int) -> None:
    found = {n: rates(n, studies) for n in SEEDS}
    told = f"{studies:,} studies of n = {', '.join(map(str, SEEDS))}"
    print(f"| {told} | misses, % | half width | of the least |")
    print("|---|---|---|---|")
    for name in METHODS:
        each = [found[n][name] for n in SEEDS]
        columns = (
            ", ".join(f"{100 * rate.misses:.1f}" for rate in each),
            ", ".join(f"{100 * rate.half:.2f}" for rate in each),
            ", ".join(f"{rate.ratio:.2f}" for rate in each),
        )
        print(f"| {name} | {' | '.join(columns)} |")


def claims(studies: int) -> None:
    print(f"| claims of n = {', '.join(map(str, SEEDS))} | of | wrong, % | decided, % |")
    print("|---|---|---|---|")
    for name, design in DESIGNS.items():
        count = studies // 20 if design.official else studies  # as much slower
        for times in EFFECTS:
            effect = times * design.margin
            found = [verdicts(design, effect, n, count) for n in SEEDS]
            wrong = [sum(is_wrong(v, effect, design.margin) for v in each) for each in found]
            decided = [sum(map(decides, each)) for each in found]
            told = (", ".join(f"{100 * k / count:.1f}" for k in each) for each in (wrong, decided))
            print(f"| {name}, effect {times:g} m | {count:,} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    *flag, count = [*sys.argv[1:], "4000"][: 2 if "--claims" in sys.argv else 1]
    (claims if flag else main)(int(count))
