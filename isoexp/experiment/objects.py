"""Objects named as module:object on the command line: what they are, and how they are built."""

__all__ = ["AS", "located"]

import importlib
import inspect
from typing import Any

from torch.optim import Optimizer

from ..errors import UserError

AS = ("map", "init", "optimizer", "clip", "regularizer")
"""The kinds that an object may be of."""

PACKAGES = {
    "isoexp.inits": "init",
    "torch.nn.init": "init",
    "isoexp.optimizers": "clip",
    "isoexp.regularizers": "regularizer",
}
"""What the members of a package are that show it by no base of theirs."""


def located(word: str, kind: str = "") -> tuple[str, str, Any]:
    """Returns what kind module:object is of, its name, and what builds it, or it itself.

    Who types a name trusts its module.

    Arguments:
        word: The name.
        kind: What kind it is, where it cannot be seen.

    Raises:
        UserError: If there is no such object, or none that could be a form.
    """

    module, _, path = word.partition(":")
    try:
        found = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        raise UserError(f"{word}: {error}; a folder of yours goes on PYTHONPATH") from error
    except (Exception, SystemExit) as error:  # of anybody's module
        raise UserError(
            f"{word}: {' '.join(str(error).split()) or type(error).__name__}"
        ) from error
    if not callable(found):
        raise UserError(f"{word} must name a class or a function, got {type(found).__name__}")

    kind = kind or _kind(found)

    return kind, path, _builder(found, kind)


def _kind(found: Any) -> str:
    """Returns the kind that an object shows: by its base, or by the package that it is in."""

    if inspect.isclass(found) and issubclass(found, Optimizer):
        return "optimizer"

    home = str(getattr(found, "__module__", ""))
    known = [kind for name, kind in PACKAGES.items() if f"{home}.".startswith(f"{name}.")]

    return known[0] if known else "map"


def _builder(found: Any, kind: str) -> Any:
    """Returns an object as its kind is handed to a network or a training."""

    if kind == "optimizer":
        return found
    if kind == "init" and str(getattr(found, "__module__", "")) == "torch.nn.init":
        return lambda layer: found(layer.weight)
    if kind != "map":
        return found() if inspect.isclass(found) else found

    if _takes_width(found):
        return found

    return lambda n: found() if inspect.isclass(found) else found


def _takes_width(found: Any) -> bool:
    """Whether an object is a class that must be told something first: the number of features."""

    if not inspect.isclass(found):
        return False
    first = next(iter(inspect.signature(found).parameters.values()), None)
    if first is None or first.kind in (first.VAR_POSITIONAL, first.VAR_KEYWORD):
        return False

    return first.default is first.empty
