"""Stored runs: read back from their folders, so that probes can be put to what is trained."""

__all__ = ["probe_stored", "stored"]

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..store.files import read_json
from ..store.lock import hold
from ..store.run import Run
from .configuration import Job, read
from .construction import check
from .execution import Aborted, probed
from .preparation import Prepared, prepare

if TYPE_CHECKING:
    from .trial import Event


def stored(run: Run, **changes: Any) -> Prepared:
    """Returns the job of a completed run, as it was, but for what is looked for or where.

    Arguments:
        run: The folder of the run.
        changes: What to put in place of root keys: probe, device, force.

    Raises:
        UserError: If the run is not completed, or its data are not what they were.
    """

    state = run.state
    if state.get("state") != "completed":
        raise UserError(f"{run.folder} must be completed to be probed; it is {run.status}")

    try:
        config = read((run.folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise UserError(
            f"{run.folder}/config.yaml must say how the run was trained: {reason}; train again"
        ) from error
    config = {
        "snapshots": 0,  # which older ones lack
        **config,
        "logger": {"_target_": "isoexp.store.tracking.NoLogger"},
        "figures": None,  # whatever was wanted while it was trained
        **changes,
    }

    columns = state.get("columns") or {}
    choices = {group: columns[group] for group in columns if group in config}
    prepared = prepare(Job(config, choices, tuple(state.get("words") or ())))

    data = read_json(run.folder / "provenance.json").get("data")
    if data not in (None, prepared.fingerprint):
        raise UserError(f"{run.folder}: the data are not those that it was trained on")

    # A folder may have been moved, and versions have changed: it is the run that it says it is.
    where = run.folder.absolute().parent
    settings = replace(prepared.settings, out=str(where.parent), name=where.name)
    (seed,) = prepared.settings.members

    return replace(prepared, settings=settings, identities={seed: str(state["identity"])})


def probe_stored(
    prepared: Prepared, run: Run, twin: tuple[Prepared, Run] | None = None
) -> "Generator[Event | Aborted, None, None]":
    """Puts the probes of a stored job to its network, those that have not been, or all if forced.

    Arguments:
        prepared: What `stored` returned.
        run: Its folder.
        twin: The job and the folder of what it is compared with, instead of the next seed.

    Raises:
        Busy: If another process works on the run.
        UserError: If it is not completed any more.
    """

    from .probing import Trained

    check(prepared.job.config)
    bench = prepared.bench()
    (seed,) = prepared.identities

    other = None
    if twin is not None:
        job, folder = twin
        ((twin_seed, identity),) = job.identities.items()
        other = Trained.stored(job.bench(), twin_seed, folder)
        compared = {
            name: f"{each}-{identity[:8]}"
            for name, each in prepared.probes.items()
            if "twin" in getattr(bench.probes[name], "needs", ())
        }
        prepared = replace(prepared, probes={**prepared.probes, **compared})

    with hold(run):
        record = prepared.record(bench, run, seed)
        state = run.state  # which may have changed since it was looked at
        if state.get("state") != "completed":
            raise UserError(f"{run.folder} is not completed any more: it is {run.status}")
        record.columns = state.get("columns") or record.columns
        known = {} if prepared.settings.force else state.get("probes") or {}
        names = [name for name, each in prepared.probes.items() if known.get(name) != each]
        yield from probed(bench, record, names, other)
