"""The recipe of a claim's networks in prose: arms, data, budget and tuning, as their files say."""

__all__ = ["arms_told", "tuning_told"]

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..claims.evidence import Evidence
from ..claims.values import results
from ..errors import Unreadable
from ..output import listed, plural
from ..store.identity import flat
from .cells import number
from .entries import Entry

PARTS = {
    "model": "model", "activation": "activation function", "norm": "normalization",
    "init": "initialization", "dropout": "dropout", "optimizer": "optimizer",
    "schedule": "learning-rate schedule", "clip": "gradient clipping",
    "regularizer": "regularizer",
}  # fmt: skip
"""Parts of a network and its training, as they are called in prose."""

HIDDEN = ("run", "study", "seed", "data.split", "data.items")
"""What is said elsewhere."""

Settings = Mapping[str, str]


def arms_told(evidence: Evidence, arms: Mapping[str, Sequence[Entry]]) -> str:
    """Says what the arms are, what they are made of, and by which data and how long they learn."""

    claim = evidence.claim
    first = {arm: next((run for run in own if run.config), None) for arm, own in arms.items()}
    known = {arm: _settings(run) for arm, run in first.items() if run}
    if len(known) < len(first):
        own = [f"{arm} ({' '.join(words) or 'as all'})" for arm, words in claim.arms.items()]
        shared = f", all of them with {' '.join(claim.common)}" if claim.common else ""
        return f"The arms that were planned are {listed(own)}{shared}."
    tuned = {key for each in evidence.tuned.values() for key in each.get("chosen") or ()}
    usual = {key: _usual(key, known.values()) for own in known.values() for key in own}
    told = []
    for arm, own in known.items():
        chosen = (evidence.tuned.get(arm) or {}).get("chosen") or {}
        named = {word.partition("=")[0].lstrip("+") for word in claim.arms[arm]}
        apart = [
            f"{key} = {value}"
            for key, value in own.items()
            if key not in chosen and value != "none" and (key in named or value != usual[key])
        ]
        told.append(f"{arm} ({', '.join(apart) or 'as below'})")
    made = [
        each for part, what in PARTS.items() if (each := _part(part, what, known.values(), tuned))
    ]
    of = [
        f"The arm was {told[0]}."
        if len(told) == 1
        else f"We compared {len(told)} arms: {listed(told)}."
    ]
    if made:
        of.append(f"Networks were made, and trained, with {listed(made)}.")

    return " ".join([*of, _data(known.values(), arms, tuned), _budget(usual, arms)])


def _settings(run: Entry) -> Settings:
    """Returns the choices of a run and its settings by dotted key."""

    choices = {k: v for k, v in (run.run.state.get("columns") or {}).items() if v != ""}
    config = {
        key: value
        for key, value in flat(run.config, 0).items()
        if not key.endswith("_target_") and value is not None
    }

    return {k: str(v) for k, v in {**choices, **config}.items() if k not in HIDDEN}


def _usual(key: str, every: Iterable[Settings]) -> str | None:
    """Returns the value that most arms have; None where none is that usual."""

    values = Counter(each[key] for each in every if key in each)
    value, n = values.most_common(1)[0]

    return value if 2 * n > values.total() else None


def _part(part: str, what: str, every: Iterable[Settings], tuned: Iterable[str]) -> str:
    """Says what a part is, each choice with the settings that all have who chose it; "" of none."""

    chosen: dict[str, list[Settings]] = {}
    for each in every:
        if each.get(part, "none") != "none":
            chosen.setdefault(each[part], []).append(each)
    told = []
    for name, own in chosen.items():
        shared = [
            f"{key.removeprefix(f'{part}.')} = {value}"
            for key, value in own[0].items()
            if key.startswith(f"{part}.")
            and key not in tuned
            and all(each.get(key) == value for each in own)
        ]
        told.append(name + (f" ({', '.join(shared)})" if shared else ""))

    return f"the {what}{'s' * (len(told) > 1)} {listed(told)}" if told else ""


def _data(
    every: Iterable[Settings], arms: Mapping[str, Sequence[Entry]], tuned: Iterable[str]
) -> str:
    """Says what data there are, how they are split, and how many samples networks are tested on."""

    of = _part("data", "data set", every, tuned)
    runs = [run for own in arms.values() for run in own if run.completed]
    said = [f"They learnt {of}."] if of else []
    splits = {str((run.config.get("data") or {}).get("split", "fixed")) for run in runs}
    known = [run.run.provenance.get("resampled") for run in runs]
    ratios, drawn = {number(ratio) for ratio in known if ratio}, not all(known)
    if splits == {"fixed"}:
        said.append(
            "All seeds shared one split into training, validation and test samples, so that "
            "intervals leave out what another split would give."
        )
    elif splits == {"seed"} and ratios:
        said.append(
            "Each seed dealt training, validation and test samples anew from one pool, alike for "
            f"all arms, with {listed(sorted(ratios))} test samples for each training sample"
            + (", or drew them anew where the data are generated." if drawn else ".")
        )
    elif splits == {"seed"}:
        said.append("Each seed had training and validation samples of its own, alike for all arms.")
    sizes = sorted({n for own in arms.values() if own and (n := _items(own[0]))})
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


def _budget(usual: Mapping[str, str | None], arms: Mapping[str, Sequence[Entry]]) -> str:
    runs = [run for own in arms.values() for run in own]
    epochs, updates = usual.get("epochs"), _range(run.numbers.get("steps") for run in runs)
    length = f"{epochs} {'epoch' if epochs == '1' else 'epochs'}" if epochs else ""
    told = " and ".join(filter(None, (length, f"{updates} updates" if updates else "")))
    said = f"Unless told otherwise, training took {told or 'as long as each arm says'}"
    said += f" in batches of {size}" if (size := usual.get("batch_size")) else ""
    said += f", in {precision}" if (precision := usual.get("precision")) else ""
    sizes = _range(run.numbers.get("parameters") for run in runs)

    return said + (f"; networks had {sizes} parameters." if sizes else ".")


def tuning_told(evidence: Evidence) -> str:
    """Says how the arms were tuned, if they were."""

    tuning, tuned = evidence.claim.tuning, evidence.tuned
    if tuning is None:
        return "No setting was tuned."
    space, every = bool(tuning.space), (tuning.grid or tuning.space).items()
    offered = [_offered(key, values, space) for key, values in every]
    for arm, own in tuning.arms.items():
        offered += [f"{_offered(key, v, space)} in {arm} alone" for key, v in own.items()]
    how = "at quasi-random points of the space" if space else "at all combinations of the grid"
    where = "each arm" if set(evidence.claim.arms) <= set(tuned) else listed(tuned or ["arms"])
    said = [
        f"Settings of {where} were tuned on the validation split, by the mean {tuning.metric} of "
        f"{plural(tuning.seeds, 'network')} a trial, {how} {listed(offered)}."
    ]
    tried = {arm: each.get("tried") or [] for arm, each in tuned.items()}
    said.append(_budgets({arm: len(own) for arm, own in tried.items()}))
    longer = Counter(tuple(e) for e in evidence.found.get("longer") or () if len(e) == 2)
    said += [
        f"Since the best {key} was at the {side} end, the {'space' if space else 'grid'} was made "
        f"longer there {'once' if n == 1 else f'{n} times'}, for all arms alike."
        for (key, side), n in longer.items()
    ]
    chosen, ends = {}, {}
    for arm, each in tuned.items():
        values = ", ".join(f"{k} = {v}" for k, v in (each.get("chosen") or {}).items())
        chosen.setdefault(values, []).append(arm)
        ends.setdefault(" and ".join(each.get("edges") or ()), []).append(arm)
    told = [f"{values} in {listed(own)}" for values, own in chosen.items() if values]
    if told:
        said.append(f"Chosen {'was' if len(told) == 1 else 'were'} {'; '.join(told)}.")
    said += [
        f"The best {keys} of {listed(own)} was still at the end of what was tried."
        for keys, own in ends.items()
        if keys
    ]
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
        return f"Each of them had {plural(next(iter(trials.values())), 'trial')}."

    told = [f"{plural(n, 'trial')} in {arm}" for arm, n in trials.items()]

    return f"There were {listed(told)}."


def _range(values: Iterable[float | None]) -> str:
    """Writes the values of runs, from the least to the most; "" if there is none."""

    known = sorted({value for value in values if value is not None})
    if not known:
        return ""

    return f"{known[0]:,.0f}" if len(known) == 1 else f"{known[0]:,.0f} to {known[-1]:,.0f}"
