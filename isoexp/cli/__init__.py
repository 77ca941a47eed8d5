"""The command line. Nothing heavy is imported before a command needs it."""

__all__ = ["main"]

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import __version__, processes
from ..errors import UserError, did_you_mean, failure, one_line, out_of_memory
from ..output import say

if TYPE_CHECKING:
    from .options import Command

HELP = """\
isoexp: the laboratory bench for isotropic deep learning

  isoexp train [group=choice …] [key=value …]   train, probe and record networks; -m for sweeps
  isoexp search [key=VALUES …]                  find the settings that score best
  isoexp reproduce CLAIM …                      decide a claim of the paper by its study
  isoexp report [DIR …]                         a page of what was found, with intervals
  isoexp probe RUN … [probe=…]                  put probes to finished runs
  isoexp list [GROUP]                           every choice of every group
  isoexp ls [DIR]                               a table of runs
  isoexp show RUN                               one run: state, numbers, configuration
  isoexp figures RUN …                          draw the tables of finished runs
  isoexp audit [GROUP …] [module:object …]      the measured symmetry of every functional form
  isoexp completion bash|zsh|fish               a script for your shell

  isoexp train activation=iso_tanh model=mlp    the first thing to try
  isoexp train --help                           all about training

Mistakes end with exit code 2, failed runs with 1. ISOEXP_DEBUG=1 shows tracebacks.
"""

IMPOSSIBLE = (
    errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT,
    errno.ENOTDIR, errno.ENOTEMPTY, errno.EPERM, errno.EROFS,
)  # fmt: skip
"""What the system says of a path that was a mistake, and not of a full or broken disk."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code. Mistakes of the user end in one line and code 2."""

    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _be_printable()

    try:
        return _dispatch(arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (UserError, OSError, MemoryError, RuntimeError) as error:
        known = isinstance(error, UserError | OSError) or out_of_memory(error)
        if os.environ.get("ISOEXP_DEBUG") or not known:
            raise
        mistaken = isinstance(error, UserError) or getattr(error, "errno", None) in IMPOSSIBLE
        if not mistaken or processes.local_rank() == 0:  # all processes are told of a mistake
            say(f"isoexp: {one_line(error)}", sys.stderr)
        return 2 if mistaken else 1
    except SystemExit as error:  # of code that a user brought: isoexp's own does not exit
        say(f"isoexp: {failure(error)}", sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("isoexp: interrupted; the same command goes on from here", sys.stderr)
        return 130


def _be_printable() -> None:
    """Lets equations be printed anywhere: as question marks, at worst, or into nothing."""

    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        say(HELP, end="")
        return 0
    if arguments[0] in ("-V", "--version"):
        say(f"isoexp {__version__}")
        return 0

    name, *rest = arguments
    commands = _commands()
    if name == "_complete":
        from .completion import complete

        return complete(rest, commands)
    if name in commands:
        if processes.size() > 1 and name != "train":
            raise UserError(f"torchrun shares one training: start isoexp {name} without it")
        return commands[name](rest)

    for word in rest:
        if word in commands:
            others = " ".join(w for w in arguments if w != word)
            raise UserError(f"the command comes first: isoexp {word} {others}")
    if "=" in name:
        raise UserError(f"a command comes first: isoexp train {' '.join(arguments)}")

    raise UserError(
        f"there is no command {name}{did_you_mean(name, commands) or '; isoexp --help shows them'}"
    )


def _commands() -> "dict[str, Command]":
    from .audit import audit
    from .completion import completion
    from .figures import figures
    from .inventory import list_choices, ls, show
    from .probe import probe
    from .report import report
    from .reproduce import reproduce
    from .search import search
    from .train import train

    every = (train, search, reproduce, report, probe, list_choices, ls, show, figures, audit)

    return {each.name: each for each in (*every, completion)}
