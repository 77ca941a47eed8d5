"""How often intervals miss the truth that test items are drawn from, and how wide they are.

    python benchmarks/decisions.py [STUDIES]

Two arms of equal accuracy, n seeds of each, 360 test items from a pool of 1,797 (see
tests/statistics/splits.py): on one split or on a split a seed, with Student's t over seeds, with
Nadeau and Bengio's variance, and clustered both ways. Misses of a nominal 95 % interval, its half
width in points of accuracy, and that in units of the half width with the variance known.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.statistics.splits import METHODS, rates

SEEDS = 8, 16, 32


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


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 4000)
