"""Commands, each with its help and its options; complaints about these are one line."""

__all__ = ["FLAG", "Command", "command", "runs_of"]

import argparse
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UserError, did_you_mean
from ..output import say
from ..paths import path_of
from ..store.run import Run
from ..store.study import find_runs

FLAG = {"action": "store_true"}

COMMON: Mapping[str, Mapping[str, Any]] = {
    "--config-dir": {"action": "append", "default": [], "type": path_of, "metavar": "DIR"},
    "--allow": {"action": "append", "default": [], "metavar": "PACKAGE"},
    "-h --help": FLAG,
}
"""The options that every command has, as argparse takes them."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise UserError(message)


@dataclass(frozen=True)
class Command:
    """A command of isoexp, called with the words that follow its name.

    Arguments:
        do: Does what the parsed words say; returns the exit code, 1 if anything failed, else 0.
        help: What --help prints.
        options: Its options besides the common ones, as argparse takes them.
    """

    name: str
    do: Callable[[Namespace], int]
    help: str
    options: Mapping[str, Mapping[str, Any]]

    @property
    def flags(self) -> list[str]:
        return [flag for names in (*self.options, *COMMON) for flag in names.split()]

    def __call__(self, words: Sequence[str]) -> int:
        """Runs the command; packages that are allowed are from here on."""

        prog = f"isoexp {self.name}"
        parser = _Parser(prog=prog, add_help=False, allow_abbrev=False)
        for names, how in {**self.options, **COMMON}.items():
            parser.add_argument(*names.split(), **how)
        parser.add_argument("arguments", nargs="*")

        options, unknown = parser.parse_known_intermixed_args(list(words))
        if unknown:
            near = did_you_mean(unknown[0], self.flags) or f"; {prog} --help shows them"
            raise UserError(f"{prog} has no option {unknown[0]}{near}")
        if options.help:
            say(self.help)
            return 0
        for folder in options.config_dir:
            if not folder.is_dir():
                raise UserError(f"--config-dir must be a folder, got {folder}")
        if options.allow:
            from ..config.allowed import allow

            allow(options.allow)

        return self.do(options)


def command(
    name: str, help: str, options: Mapping[str, Mapping[str, Any]] | None = None
) -> Callable[[Callable[[Namespace], int]], Command]:
    """Makes a command of the function that does it."""

    return lambda do: Command(name, do, help, options or {})


def runs_of(command: str, arguments: Iterable[str]) -> list[Run]:
    """Returns the runs, at least one, that arguments of a command stand for."""

    runs = {run.folder.resolve(): run for each in arguments for run in find_runs(each)}
    if not runs:
        raise UserError(f"isoexp {command} takes a run, or a folder of runs; isoexp ls shows them")

    return list(runs.values())
