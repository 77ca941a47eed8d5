"""Packages outside isoexp whose code may run: those that the user allows by --allow."""

__all__ = ["ALLOW", "allow", "allowed", "require_allowed"]

import os
from collections.abc import Iterable

from .errors import UserError

ALLOW = "ISOEXP_ALLOW"
"""The environment variable that carries --allow to every process of a sweep, comma-separated."""


def allow(packages: Iterable[str]) -> None:
    """Allows packages, in this process and in those it starts."""

    os.environ[ALLOW] = ",".join([*allowed(), *filter(None, packages)])


def allowed() -> list[str]:
    return [package for package in os.environ.get(ALLOW, "").split(",") if package]


def require_allowed(package: str, said: str) -> None:
    """Refuses a package that is not allowed.

    Arguments:
        package: The first part of a dotted name.
        said: The words before "of a package …": where it is named, and as what.

    Raises:
        UserError: If it is not allowed.
    """

    if package not in allowed():
        raise UserError(
            f"{said}, of a package that may not run: --allow {package} permits it, if you trust it"
        )
