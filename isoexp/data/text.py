"""Text, character by character; the target of each step is the next character.

    x = (c₁, …, c_T) one-hot,    y = (c₂, …, c_{T+1}).

The text is a user's file, or the prose of Python's own documentation: without its headings, lists
and programs, and each paragraph once. It ships with Python, though some systems leave it out, and
differs between versions of Python, as results then do.

All text is put in lower case. A token is one of the most frequent characters of the training
part; one token stands for all others.
"""

__all__ = ["Text"]

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..errors import NotHere, UserError
from ..paths import path_of
from .base import Source, Split, Splits, one_hot

OTHER = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Text(Source):
    """Windows of T characters, and the next character at each: 80/10/10 from start to end.

    The parts share no character, and the windows of a part do not overlap, save that the last
    answer of one is the first character of the next.

    Arguments:
        root: A text file in UTF-8; null means Python's documentation.
        length: The number T of characters in a window.
        characters: The number of characters to use, from the start of the text.
        vocabulary: The largest number D of tokens, the one for all other characters included.
    """

    root: str | None = None
    length: int = 64
    characters: int = 200_000
    vocabulary: int = 40

    def __post_init__(self) -> None:
        self.require_at_least(1, "length", "characters")
        self.require_at_least(2, "vocabulary")

        if self.root is not None and not path_of(self.root).is_file():
            raise UserError(f"data.root must be a text file, got {self.root}")

    def text(self) -> str:
        """Returns the text in lower case, cut; raises UserError if it is too short, or no UTF-8."""

        text = _documentation() if self.root is None else _read(self.root, self.characters)
        text = text.lower()[: self.characters]

        if len(text) // 10 <= self.length:
            raise UserError(
                f"a text must have {10 * (self.length + 1)} characters for windows of "
                f"{self.length}, got {len(text)}: lower data.length, or use more text"
            )

        return text

    def alphabet(self) -> str:
        """Returns the character of each token; token 0 stands for all others."""

        text = self.text()
        counts = Counter(text[: _cuts(text)[0]])
        del counts[OTHER]
        # Sorted first: of characters that are equally frequent, the order is then that of Unicode.
        common = Counter({c: counts[c] for c in sorted(counts)}).most_common(self.vocabulary - 1)

        return OTHER + "".join(sorted(c for c, _ in common))

    def fingerprint(self) -> str:
        return hashlib.blake2b(self.text().encode(), digest_size=8).hexdigest()

    def load(self) -> Splits:
        text, alphabet = self.text(), self.alphabet()
        numbers = {c: token for token, c in enumerate(alphabet)}
        tokens = np.asarray([numbers.get(c, 0) for c in text], dtype=np.int64)
        parts = np.split(tokens, _cuts(text))

        return Splits(
            *(self._windows(part, len(alphabet)) for part in parts),
            outputs=len(alphabet),
            standardize=False,
        )

    def redrawn(self, seed: int) -> Splits | None:
        raise ValueError(
            "split=seed cannot be: neighbouring windows of one text tell of each other, so that "
            "its parts must be apart; use data.split=fixed"
        )

    def _windows(self, tokens: np.ndarray, size: int) -> Split:
        T = self.length
        end = (len(tokens) - 1) // T * T

        return Split(one_hot(tokens[:end].reshape(-1, T), size), tokens[1 : end + 1].reshape(-1, T))


def _cuts(text: str) -> list[int]:
    """Returns the ends of the training part and of the validation part."""

    tenth = len(text) // 10

    return [len(text) - 2 * tenth, len(text) - tenth]


def _read(root: str, characters: int) -> str:
    try:
        with path_of(root).open(encoding="utf-8-sig") as file:
            return file.read(characters)
    except UnicodeDecodeError as error:
        raise UserError(
            f"data.root must be a text file in UTF-8, got {root}: {error.reason}"
        ) from error
    except OSError as error:
        raise UserError(f"data.root={root} cannot be read: {error.strerror}") from error


def _documentation() -> str:
    """Returns the sentences of Python's documentation, a paragraph a line."""

    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise NotHere(
            "this Python comes without its documentation, the module pydoc_data: "
            "name a text file of yours with data.root=FILE"
        ) from error

    paragraphs = re.split(r"\n\s*\n", "\n\n".join(topics[name] for name in sorted(topics)))
    lines = (" ".join(paragraph.replace("*", "").split()) for paragraph in paragraphs)
    prose = (line for line in lines if re.fullmatch(r"[A-Z].{58,}[.:)]", line))

    return "\n".join(dict.fromkeys(prose))
