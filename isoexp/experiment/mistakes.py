"""Mistakes: what Hydra refuses, said in one line to those who do not know its inside."""

__all__ = ["explained"]

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ..errors import UserError, did_you_mean
from .configuration import Config


def explained(
    error: Exception,
    words: Sequence[str],
    groups: Collection[str],
    composed: Callable[[Sequence[str]], Config],
) -> str:
    """Returns an error of Hydra's in one line, with the key that was probably meant.

    Arguments:
        error: The error.
        words: The words that were composed.
        groups: The names of the groups.
        composed: Composes the words that are choices.
    """

    chosen = [w for w in words if w.partition("=")[0].lstrip("+~") in groups]
    if len(chosen) < len(words):
        try:
            known = _keys(composed(chosen))
        except UserError:
            known = []
        for word in words:
            key = word.partition("=")[0]
            if word not in chosen and known and not key.startswith("+") and key not in known:
                return _unknown(key.lstrip("~"), known)
            if key.startswith("model.") and key.partition(".")[2] in known:
                inner = key.partition(".")[2]
                return f"the model is handed its {inner.partition('.')[0]}: set {inner}=…"

    lines = [line.strip() for line in str(error).splitlines() if line.strip()]

    return lines[0] if lines else type(error).__name__


def _unknown(key: str, known: Sequence[str]) -> str:
    """Returns that there is no such setting, and which one is near, or which there are."""

    parent = key.rpartition(".")[0]
    siblings = [k for k in known if k.rpartition(".")[0] == parent and "._" not in k]
    near = did_you_mean(key, siblings) or did_you_mean(key, [k for k in known if "." in k])
    if not near:
        names = ", ".join(k.rpartition(".")[2] for k in siblings)
        near = f"; {parent} takes {names or 'none'}" if parent else ""

    return f"there is no setting {key}{near}"


def _keys(config: Config) -> list[str]:
    """Returns the dotted keys of a configuration, of its branches too."""

    found = []

    def visit(node: Any, path: str) -> None:
        if path:
            found.append(path)
        if isinstance(node, Mapping):
            for key in node:
                visit(node[key], f"{path}.{key}" if path else str(key))

    visit(config, "")

    return found
