"""A configuration: a plain dictionary, with all that it refers to put in its place.

Nobody changes one: the jobs of a sweep share what they have in common.
"""

__all__ = ["Config", "Job", "read", "written"]

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ..errors import UserError

Config = Mapping[str, Any]

# libyaml's, where PyYAML has been built with it, are ten times as fast.
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

FLOAT = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
"""What is read as a number, 1e-3 too; YAML 1.1 takes that for a text."""


@dataclass(frozen=True)
class Job:
    """One composed configuration.

    Arguments:
        config: The configuration.
        choices: The choice of each group that has one, as named on the command line.
        words: The settings as the user wrote them.
    """

    config: Config
    choices: Mapping[str, str]
    words: tuple[str, ...]


class _Loader(SafeLoader):
    """Reads configurations."""


class _Dumper(SafeDumper):
    """Writes configurations, each part in full wherever it stands."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for each in (_Loader, _Dumper):
    each.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(f"^(?:{FLOAT.pattern})$"), list("-+0123456789.")
    )


def written(config: Config) -> str:
    """Returns a configuration as YAML."""

    return yaml.dump(
        dict(config), Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False
    )


def read(text: str) -> dict[str, Any]:
    """Returns the configuration that YAML says.

    Raises:
        UserError: If it says none.
    """

    try:
        found = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UserError(" ".join(str(error).split())[:200]) from error
    if not isinstance(found, dict):
        raise UserError(f"a configuration has keys and values, got {text[:50]!r}")

    return {str(key): value for key, value in found.items()}
