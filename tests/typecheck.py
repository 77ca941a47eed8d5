"""The checker of annotations in tests: beartype, an int doing for a float as PEP 484 has it."""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from itertools import count
from types import CodeType
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import jaxtyped

check = beartype(conf=BeartypeConf(is_pep484_tower=True))

FEW, SELDOM = 64, 8
"""How many calls of a function are checked in each process; and of those after, each which."""

_inner: set[CodeType] = set()
"""The inner functions that were checked once."""


def checked(typechecker: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Returns what the hook puts on every class and function.

    A letter is one number in all shapes of a call, as it is by jaxtyping's own decorator, which
    checks arguments a second time with what is returned: a third of the tests' time.
    """

    return partial(_checked, typechecker)


def _checked(typechecker: Callable[[Any], Any], f: Any) -> Any:
    if inspect.isclass(f):
        return jaxtyped(f, typechecker=typechecker)

    # An inner function is made anew at each call; its check is made once.
    if "<locals>" in f.__qualname__:
        if f.__code__ in _inner:
            return f

        _inner.add(f.__code__)

    # Sides named by an argument, and names that only a type checker imports.
    hints = f.__annotations__.values()
    late = any(isinstance(hint, str) or "{" in str(hint) for hint in hints)

    if inspect.isgeneratorfunction(f) or late:
        return jaxtyped(f, typechecker=typechecker)

    typed = typechecker(f)
    if typed is f:
        return f

    calls = count()

    @wraps(f)
    def scoped(*args: Any, **kwargs: Any) -> Any:
        call = next(calls)
        if call > FEW and call % SELDOM:
            return f(*args, **kwargs)

        with jaxtyped("context"):
            return typed(*args, **kwargs)

    return scoped
