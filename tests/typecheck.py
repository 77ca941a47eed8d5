"""The checker of annotations in tests: beartype, an int doing for a float as PEP 484 has it."""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import jaxtyped

check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(typechecker: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Returns what the hook puts on every class and function.

    A letter is one number in all shapes of a call, as it is by jaxtyping's own decorator, which
    checks arguments a second time with what is returned: a third of the tests' time.
    """

    return partial(_checked, typechecker)


def _checked(typechecker: Callable[[Any], Any], f: Any) -> Any:
    if inspect.isclass(f) or inspect.isgeneratorfunction(f) or "{" in str(f.__annotations__):
        return jaxtyped(f, typechecker=typechecker)

    typed = typechecker(f)
    if typed is f:
        return f

    @wraps(f)
    def scoped(*args: Any, **kwargs: Any) -> Any:
        with jaxtyped("context"):
            return typed(*args, **kwargs)

    return scoped
