"""Claims: a sentence of the paper, and all that will decide it, written down before any run.

    arms × seeds  →  a metric of each run  →  contrasts by seed  →  expectations

A file of conf/claim says it for each scale; `Claim.at` makes one of it.
"""

__all__ = ["SCALES", "Claim"]

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from math import prod
from typing import Any, Self

from ..config.settings import check_runs
from ..errors import UserError
from .terms import (
    DECIDES,
    Comparison,
    Metric,
    Plot,
    Tuning,
    check_choice,
    checked,
    key_of,
    overrides,
    wrong,
)

SCALES = ("smoke", "laptop", "gpu")
"""smoke: does it run? laptop: an answer from two cores; gpu: the data sets of the literature."""

NAME = re.compile(r"[a-zA-Z]\w*")

DEFAULTS = {"tuning": None, "curve": None, "common": [], "decides": "all"}
"""What may be left out."""


@dataclass(frozen=True)
class Claim:
    """A claim at one scale.

    Arguments:
        claim: The sentence, in our own words.
        section: Where the paper says it.
        expected: The verdict expected before any run, and why.
        cost: The minutes that it should take, on two cores or on one GPU.
        common: Overrides of all arms.
        decides: all | any: whether it takes all comparisons that decide, or one of them.
        curve: A figure beside the one of the metrics.
    """

    name: str
    title: str
    claim: str
    section: str
    expected: str
    cost: float
    scale: str
    common: Sequence[str]
    arms: Mapping[str, Sequence[str]]
    tuning: Tuning | None
    seeds: int
    metrics: Mapping[str, Metric]
    comparisons: Sequence[Comparison]
    decides: str
    curve: Plot | None

    @classmethod
    def at(cls, name: str, node: Any, scale: str) -> Self:
        """Reads a file's claim at a scale: `scales.SCALE` adds overrides, and replaces the rest.

        Raises:
            UserError: If a key is unknown, missing, or has a value that cannot be.
        """

        if not isinstance(node, Mapping):
            raise UserError(f"claim {name}: its file must have keys, got {node!r}")
        scales = node.get("scales") or {}
        if not isinstance(scales, Mapping) or scale not in scales:
            told = ", ".join(scales) if isinstance(scales, Mapping) else scales
            raise UserError(f"claim {name} has no scale {scale}; it has {told or 'none'}")
        own = scales[scale] or {}
        if not isinstance(own, Mapping):
            raise wrong(name, f"scales.{scale}", "keys of its own", own)
        own = dict(own)
        common = overrides(node.get("common", []), name) + overrides(own.pop("common", []), name)
        if isinstance(node.get("tuning"), Mapping) and isinstance(own.get("tuning"), Mapping):
            Tuning.read({**own["tuning"], **node["tuning"]}, name)
            own["tuning"] = {**node["tuning"], **own["tuning"]}
        # What the scale replaces must be right too: the other scales have it.
        own_last = {**own, **{k: v for k, v in node.items() if k not in ("scales", "common")}}
        checked(cls, {"name": name, "scale": scale, **own_last}, DEFAULTS, f"claim {name}")
        merged = {k: v for k, v in node.items() if k != "scales"} | own | {"common": common}

        return cls.of({"name": name, "scale": scale, **merged})

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> Self:
        """Reads a claim at its scale, as `written` wrote it, or from a file."""

        name = str(node.get("name"))
        found = checked(cls, node, DEFAULTS, f"claim {name}")
        if not NAME.fullmatch(name):
            raise UserError(f"a claim is named by letters, digits and _, got {name}")
        check_choice(name, "scale", SCALES, found["scale"])
        check_choice(name, "decides", DECIDES, found["decides"])
        arms, tuning, curve = found["arms"], found["tuning"], found["curve"]
        if not isinstance(arms, Mapping) or not arms:
            raise wrong(name, "arms", "a name and overrides for each arm", arms)
        for arm in arms:
            if not NAME.fullmatch(str(arm)):
                raise wrong(name, "arms", "named by letters, digits and _", arm)
        if found["seeds"] < 1:
            raise wrong(name, "seeds", "at least 1", found["seeds"])

        arms = {str(arm): overrides(each, name) for arm, each in arms.items()}
        metrics = {str(k): Metric.read(v, str(k), name) for k, v in found["metrics"].items()}
        comparisons = [Comparison.read(each, name, arms, metrics) for each in found["comparisons"]]
        if not any(each.role == "decides" for each in comparisons):
            raise wrong(name, "comparisons", "at least one that decides", "none")
        # All seeds of an arm share the settings chosen for it, so that their spread does not show
        # how lucky the choice was. Without a margin luck alone decides one claim in six.
        for each in comparisons if tuning else ():
            least = 1.0 if metrics[each.metric].log else 0.0
            if each.expects in ("greater", "less") and each.margin <= least:
                told = f"above {least:g} where arms are tuned: a lucky choice must not decide"
                raise wrong(name, "comparisons.margin", told, each.margin)
        found |= {
            "common": overrides(found["common"], name),
            "arms": arms,
            "tuning": tuning and Tuning.read(tuning, name, arms),
            "metrics": metrics,
            "comparisons": comparisons,
            "curve": None if curve is None else Plot.read(curve, name, list(arms)),
        }

        claim = cls(**found)
        check_runs(claim.runs, f"claim {name} at scale {claim.scale}")

        return claim

    def under(self, cell: Sequence[str]) -> Self:
        """Returns the claim with settings in place of those that all its arms share.

        Raises:
            UserError: If an arm sets one of them itself, or it is tuned, or no setting of a cell.
        """

        tuning = self.tuning
        own = {
            "tuned": [*tuning.grid, *tuning.space, *chain(*tuning.arms.values())] if tuning else [],
            "what its arms differ by": [key_of(each) for each in chain(*self.arms.values())],
            "the same in all cells": ["seed", "seeds", "data.split", "probe"],
        }
        for key in map(key_of, cell):
            for what, keys in own.items():
                if key in keys or (key.startswith("probe.") and "probe" in keys):
                    raise UserError(f"claim {self.name}: {key} is {what}: leave it out of a cell")

        return replace(self, common=[*self.common, *cell])

    @property
    def runs(self) -> int:
        """The number of runs of all arms, those that tune them included."""

        count = len(self.arms) * self.seeds
        for arm, own in self.arms.items() if self.tuning else ():
            assert self.tuning is not None
            left = self.tuning.left_to([*self.common, *own], arm)
            tried = (
                self.tuning.trials if left and self.tuning.space else prod(map(len, left.values()))
            )
            count += self.tuning.seeds * tried * (tried > 1)

        return count

    @property
    def written(self) -> dict[str, Any]:
        """The claim as plain values, from which `of` makes it again."""

        return json.loads(json.dumps(asdict(self)))

    @property
    def identity(self) -> str:
        """A hash of all that decides, without the prose."""

        prose = ("title", "claim", "section", "expected", "cost", "curve")
        decisive = {key: value for key, value in self.written.items() if key not in prose}
        for each in (*decisive["metrics"].values(), *decisive["comparisons"]):
            for told in ("words", "unit", "label", "says", "spread"):
                each.pop(told, None)
        text = json.dumps(decisive, sort_keys=True)

        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
