"""What every test stands on: checked shapes, one thread, a known seed, nobody's own files."""

import gc
import os
from collections.abc import Iterator

import jaxtyping
import pytest

from . import typecheck

# The pure packages only, and before any of them is imported. torch.compile breaks under the
# hook, so that compiled networks are tested in a python of their own.
jaxtyping.jaxtyped = typecheck.checked
jaxtyping.install_import_hook(
    [
        "isoexp.geometry",
        "isoexp.activations",
        "isoexp.models",
        "isoexp.norms",
        "isoexp.inits",
        "isoexp.dropout",
        "isoexp.noise",
        "isoexp.stochastic",
        "isoexp.regularizers",
        "isoexp.symmetry",
        "isoexp.optimizers",
        "isoexp.data",
        "isoexp.ensemble",
        "isoexp.training",
        "isoexp.samples",
        "isoexp.parallel",
        "isoexp.probes",
    ],
    "tests.typecheck.check",
)

from .commands import folder, isoexp, undrawn  # noqa: E402, F401  (fixtures)


def pytest_configure(config: pytest.Config) -> None:
    """Imports what is tested, unless other processes do the tests: they wait for this one."""

    if config.getoption("numprocesses", None):
        return

    import torch

    # Compiled by the hook here, not deep inside a test: CPython's compiler counts recursion.
    from isoexp.experiment import run, train  # noqa: F401
    from isoexp.symmetry import laws, training

    torch.set_num_threads(1)

    # A part of the samples and the updates that symmetries are measured by, for time.
    laws.DRAWS, training.UPDATES = 800, 20


LONG_S = 12
"""Tests that take so long take turns in `make smoke`, a quarter of them at each commit."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts the longest tests first, so that no worker is left alone with one at the end.

    With QUARTER, 0 to 3, those of LONG_S are kept whose turn it is; a group shares its turn.
    """

    def seconds(item: pytest.Item) -> float:
        slow = item.get_closest_marker("slow")

        return -1 if slow is None else sum(slow.args)

    def unit(item: pytest.Item) -> str:
        group = item.get_closest_marker("xdist_group")

        return item.nodeid if group is None else group.args[0]

    items.sort(key=lambda item: -seconds(item))
    quarter = os.environ.get("QUARTER", "all")
    if quarter != "all":
        units = sorted({unit(item) for item in items if seconds(item) >= LONG_S})
        others = {each for place, each in enumerate(units) if place % 4 != int(quarter)}
        left = [item for item in items if seconds(item) >= LONG_S and unit(item) in others]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def pytest_collection_finish() -> None:
    """Spares the garbage collector what is imported, which it would look through all the time."""

    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def nobodys_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps a user's data, settings and caches out of the tests, and the tests out of theirs."""

    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("ISOEXP_DATA", str(home / "data"))
        patch.setenv("OMP_NUM_THREADS", "1")
        for name in [name for name in os.environ if name.startswith(("WANDB_", "XDG_"))]:
            patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def known_state() -> Iterator[None]:
    """Seeds torch's global generator; gives back its state and the default dtype afterwards."""

    import torch

    dtype, state = torch.get_default_dtype(), torch.get_rng_state()
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(dtype)
    torch.set_rng_state(state)


@pytest.fixture
def float64(known_state: None) -> None:
    """Makes float64 the default, for laws that are held to its rounding."""

    import torch

    torch.set_default_dtype(torch.float64)
