"""Packages outside isoexp whose code may run: those that the user allows by --allow."""

__all__ = ["ALLOW", "allow", "allowed", "locate", "require_allowed"]

import importlib
import os
from collections.abc import Iterable
from typing import Any

from ..errors import UserError, one_line

ALLOW = "ISOEXP_ALLOW"
"""The environment variable that carries --allow to every process of a sweep, comma-separated."""


def allow(packages: Iterable[str]) -> None:
    """Lets configurations name what is in packages, in this process and in those it starts.

    Raises:
        UserError: If one cannot be the name of a package.
    """

    for name in (named := [each for each in packages if each]):
        if not all(map(str.isidentifier, name.split("."))):
            raise UserError(f"--allow must name a package, like mylab, got {name!r}")
    os.environ[ALLOW] = ",".join([*allowed(), *named])


def allowed() -> list[str]:
    return [name for name in os.environ.get(ALLOW, "").split(",") if name]


def locate(name: str, said: str, own: str = "") -> Any:
    """Imports module:object.

    Arguments:
        name: The name.
        said: What a refusal begins with: where it is named, and for what.
        own: The beginning of modules that need no permission.

    Raises:
        UserError: If the package may not run, or there is no such object.
    """

    module, _, path = name.partition(":")
    if not (own and module.startswith(own)):
        require_allowed(module.partition(".")[0], said)
    try:
        found = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:  # of anybody's module
        hint = "; a folder of yours goes on PYTHONPATH" * isinstance(error, ModuleNotFoundError)
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise UserError(f"{said}, which fails to import: {reason}{hint}") from error

    return found


def require_allowed(package: str, said: str) -> None:
    """Refuses a package that is not allowed.

    Raises:
        UserError: If it is not.
    """

    if package not in allowed():
        raise UserError(
            f"{said}, of a package that may not run: --allow {package} permits it, if you trust it"
        )
