"""The recipe of a claim's networks in prose: arms, data, budget and tuning, as their files say."""

__all__ = ["arms_told", "tuning_told"]

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..claims.evidence import Evidence, results
from ..errors import Unreadable
from ..output import listed, plural
from ..store.identity import flat
from .cells import number
from .entries import Entry

PARTS = {
    "model": "the model", "activation": "the activation function", "norm": "the normalization",
    "init": "the initialization", "dropout": "the dropout", "optimizer": "the optimizer",
    "schedule": "the learning-rate schedule", "clip": "the gradient clipping",
    "regularizer": "the regularizer",
}  # fmt: skip
"""Parts of a network and its training, as they are called in prose."""

Settings = Mapping[str, str]


def arms_told(evidence: Evidence, arms: Mapping[str, Sequence[Entry]]) -> str:
    """Says what the arms are, and what they have in common."""

    claim = evidence.claim
    first = {arm: next((run for run in own if run.config), None) for arm, own in arms.items()}
    if not all(first.values()):
        own = [f"{arm} ({' '.join(words) or 'as all'})" for arm, words in claim.arms.items()]
        shared = f", all of them with {' '.join(claim.common)}" if claim.common else ""
        return f"The arms that were planned are {listed(own)}{shared}."
    settings = {arm: _settings(run) for arm, run in first.items() if run}
    every = [*settings.values()]
    common = {k: v for k, v in every[0].items() if all(each.get(k) == v for each in every)}
    tuned = {key for each in evidence.tuned.values() for key in each.get("chosen") or ()}
    differ = {
        arm: [f"{k} = {v}" for k, v in own.items() if k not in common and k not in tuned]
        for arm, own in settings.items()
    }
    told = [f"{arm} ({', '.join(own) or 'no other setting'})" for arm, own in differ.items()]
    said = [f"We compared {plural(len(told), 'arm')}, with what sets each apart: {listed(told)}."]
    if len(told) == 1:
        said = [f"There was one arm, {next(iter(differ))}."]
    parts = [
        f"{what} {common[part]}{_in_brackets(common, part, tuned)}"
        for part, what in PARTS.items()
        if common.get(part, "none") not in ("none", "")
    ]
    if parts:
        said.append(f"Common to all were {listed(parts)}." if len(parts) > 1 else
                    f"Common to all was {parts[0]}.")  # fmt: skip

    return " ".join([*said, _data(common, arms, tuned), _budget(common, arms)])


def _settings(run: Entry) -> Settings:
    """Returns the choices of a run and its settings by dotted key."""

    choices = {k: str(v) for k, v in (run.run.state.get("columns") or {}).items() if v != ""}
    config = {
        key: str(value)
        for key, value in flat(run.config, 0).items()
        if not key.endswith("_target_") and value is not None
    }
    hidden = ("run", "study", "seed")

    return {k: v for k, v in {**choices, **config}.items() if k not in hidden}


def _in_brackets(common: Settings, part: str, tuned: Iterable[str]) -> str:
    own = {k: v for k, v in common.items() if k.startswith(f"{part}.") and k not in tuned}
    told = [f"{key.removeprefix(f'{part}.')} = {value}" for key, value in own.items()]

    return f" ({', '.join(told)})" if told else ""


def _data(common: Settings, arms: Mapping[str, Sequence[Entry]], tuned: Iterable[str]) -> str:
    """Says what data there are, how they are split, and how many samples networks are tested on."""

    runs = [run for own in arms.values() for run in own if run.completed]
    hidden = {*tuned, "data.split", "data.items"}
    of = f"{common.get('data')}{_in_brackets(common, 'data', hidden)}"
    said = [f"The data were {of}." if "data" in common else "The data differ, as told above."]
    splits = {str((run.config.get("data") or {}).get("split", "fixed")) for run in runs}
    ratios = {number(r) for run in runs if (r := run.run.provenance.get("resampled"))}
    if splits == {"fixed"}:
        said.append("All seeds shared one split into training, validation and test samples.")
    elif splits == {"seed"} and ratios:
        said.append(
            "Each seed dealt training, validation and test samples anew from one pool, alike for "
            f"all arms, with {listed(sorted(ratios))} test samples for each training sample."
        )
    elif splits == {"seed"}:
        said.append("Each seed had training and validation samples of its own, alike for all arms.")
    first = [own[0] for own in arms.values() if own]
    sizes = sorted({n for run in first if (n := _items(run))})
    if sizes:
        told = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
        said.append(f"Networks were tested on {told} samples, whose outcomes were kept.")

    return " ".join(said)


def _items(run: Entry) -> int:
    """Returns the number of test samples of which the outcome was kept."""

    try:
        found = results(run.run, "items")
    except Unreadable:
        return 0

    return 0 if found is None else len(found)


def _budget(common: Settings, arms: Mapping[str, Sequence[Entry]]) -> str:
    runs = [run for own in arms.values() for run in own]
    length = f"{common['epochs']} epochs" if "epochs" in common else ""
    updates = _range(run.numbers.get("steps") for run in runs)
    told = " and ".join(filter(None, (length, f"{updates} updates" if updates else "")))
    said = f"Each network was trained for {told}" if told else "Networks were trained"
    if "batch_size" in common:
        said += f" in batches of {common['batch_size']}"
    if "precision" in common:
        said += f", in {common['precision']}"
    sizes = _range(run.numbers.get("parameters") for run in runs)

    return said + (f"; networks had {sizes} parameters." if sizes else ".")


def tuning_told(evidence: Evidence) -> str:
    """Says how the arms were tuned; "" if they were not."""

    tuning, tuned = evidence.claim.tuning, evidence.tuned
    if tuning is None:
        return "No setting was tuned."
    space, every = bool(tuning.space), (tuning.grid or tuning.space).items()
    offered = [_offered(key, values, space) for key, values in every]
    for arm, own in tuning.arms.items():
        offered += [f"{_offered(key, v, space)} in {arm} alone" for key, v in own.items()]
    how = "at quasi-random points of the space" if space else "at all combinations of the grid"
    said = [
        f"Settings were tuned in each arm on the validation split, by the mean {tuning.metric} of "
        f"{plural(tuning.seeds, 'network')} a trial, {how} {listed(offered)}."
    ]
    tried = {arm: each.get("tried") or [] for arm, each in tuned.items()}
    said.append(_budgets({arm: len(own) for arm, own in tried.items()}))
    longer = Counter(tuple(each) for each in evidence.found.get("longer") or ())
    said += [
        f"Since the best {key} was at the {side} end, the {'space' if space else 'grid'} was made "
        f"longer there {'once' if n == 1 else f'{n} times'}, for all arms alike."
        for (key, side), n in longer.items()
    ]
    ends = [f"{listed(each['edges'])} of {arm}" for arm, each in tuned.items() if each.get("edges")]
    if ends:
        said.append(f"The best {listed(ends)} was still at the end of what was tried.")
    chosen = {
        arm: ", ".join(f"{k} = {v}" for k, v in (each.get("chosen") or {}).items())
        for arm, each in tuned.items()
    }
    told = [f"{values} in {arm}" for arm, values in chosen.items() if values]
    if told:
        said.append(f"Chosen were {listed(told)}.")
    failed = sum(int(each["failed"]) for own in tried.values() for each in own)
    if failed:
        said.append(f"Of these trials, {plural(failed, 'network')} failed.")
    if evidence.line:
        said.append(
            f"Networks of the tuning had seeds from {evidence.line.tuning_seed} on, and were not "
            "used again."
        )

    return " ".join(filter(None, said))


def _offered(key: str, values: Sequence[Any], space: bool) -> str:
    if not space:
        return f"{key} = {', '.join(map(str, values))}"
    low, high = values

    return f"{key} from {low} to {high}" + ("" if low <= 0 else ", even in its logarithm")


def _budgets(trials: Mapping[str, int]) -> str:
    """Says how many trials each arm had."""

    if not trials:
        return "No trial has been done yet."
    if len({*trials.values()}) == 1:
        return f"Each arm had {plural(next(iter(trials.values())), 'trial')}."

    told = [f"{plural(n, 'trial')} in {arm}" for arm, n in trials.items()]

    return f"There were {listed(told)}."


def _range(values: Iterable[float | None]) -> str:
    """Writes the values of runs, from the least to the most; "" if there is none."""

    known = sorted({value for value in values if value is not None})
    if not known:
        return ""

    return f"{known[0]:,.0f}" if len(known) == 1 else f"{known[0]:,.0f} to {known[-1]:,.0f}"
