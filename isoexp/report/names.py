"""Names of files and anchors, made of texts that people have typed."""

__all__ = ["slug", "unique"]

import re


def slug(*parts: str) -> str:
    """Makes a name of texts, of letters, digits, _ and - alone."""

    told = "-".join(re.sub(r"[^A-Za-z0-9_]+", "-", part).strip("-") for part in parts)

    return told[:150] or "x"  # files have 255 characters at most


def unique(stem: str, taken: set[str]) -> str:
    """Makes a name that is not taken yet, not even in capitals, and takes it."""

    name, n = stem, 1
    while name.casefold() in taken:
        n += 1
        name = f"{stem}-{n}"
    taken.add(name.casefold())

    return name
