"""Options of commands; complaints about them are one line."""

__all__ = ["Parser", "parse"]

import argparse
from collections.abc import Sequence

from ..errors import UserError, did_you_mean


class Parser(argparse.ArgumentParser):
    """A parser of a command's arguments, with the options that every command has."""

    def __init__(self, command: str) -> None:
        super().__init__(prog=f"isoexp {command}", add_help=False, allow_abbrev=False)

        self.add_argument("-h", "--help", action="store_true")
        self.add_argument("--config-dir", action="append", default=[], metavar="DIR")
        self.add_argument("--allow", action="append", default=[], metavar="PACKAGE")
        self.add_argument("words", nargs="*")

    def error(self, message: str):
        raise UserError(message)


def parse(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parses a command line; packages that are allowed are from here on.

    Raises:
        UserError: If an option is unknown, or lacks its value.
    """

    options, unknown = parser.parse_known_intermixed_args(list(arguments))
    if unknown:
        known = [flag for action in parser._actions for flag in action.option_strings]
        raise UserError(
            f"{parser.prog} has no option {unknown[0]}"
            f"{did_you_mean(unknown[0], known) or f'; {parser.prog} --help shows them'}"
        )

    if options.allow:
        from ..config.allowed import allow

        allow(options.allow)

    return options
