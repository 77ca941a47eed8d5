"""The files of claims: conf/claim/NAME.yaml, and those in folders of the user's own."""

__all__ = ["claim_files", "read_claim"]

from collections.abc import Sequence
from pathlib import Path

from ..config.document import parse
from ..config.groups import choices
from ..errors import UserError, did_you_mean
from ..report.claims import Claim


def claim_files(folders: Sequence[Path] = ()) -> dict[str, Path]:
    """Returns the file of each claim, by its name."""

    return choices(folders).get("claim", {})


def read_claim(name: str, scale: str, folders: Sequence[Path] = ()) -> Claim:
    """Reads a claim at a scale.

    Raises:
        UserError: If there is no such claim, or its file cannot be.
    """

    files = claim_files(folders)
    if name not in files:
        near = did_you_mean(name, files) or "; isoexp list claim shows them"
        raise UserError(f"there is no claim {name}{near}")
    try:
        node = parse(files[name].read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise UserError(f"cannot read {files[name]}: {' '.join(str(error).split())}") from error

    return Claim.at(name, node, scale)
