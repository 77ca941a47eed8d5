"""A user's own pictures, from a folder."""

__all__ = ["ImageFolder"]

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..errors import UserError
from .base import Source, Split, Splits, carve, digest_files


@dataclass(frozen=True)
class ImageFolder(Source):
    """Any pictures: root/CLASS/*.png, split 60/20/20, or root/{train,valid,test}/CLASS/*.png.

    Arguments:
        size: The side in pixels to which pictures are resized.
        channels: 1 for grey, 3 for colour.
    """

    root: str
    size: int = 32
    channels: int = 3

    SUFFIXES: ClassVar[frozenset[str]] = frozenset(
        {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
    )

    def __post_init__(self) -> None:
        if not Path(self.root).is_dir():
            raise UserError(f"data.root must be a folder of pictures, got {self.root}")
        self.require_at_least(1, "size")
        self.require_choice("channels", (1, 3))
        for part in self._parts():
            if not self._pictures(part):
                raise UserError(f"data.root: {part} holds no pictures as CLASS/NAME.png")

        everywhere = self._pictures(Path(self.root), "**/*")
        strays = set(everywhere).difference(*map(self._pictures, self._parts()))
        if strays:
            raise UserError(
                "data.root needs its pictures as CLASS/NAME.png, below train, valid and test or "
                f"below none of them, got {min(strays)}"
            )

    def _parts(self) -> list[Path]:
        """Returns the folders that hold the classes: train, valid and test, or the root alone."""

        root = Path(self.root)
        parts = [root / part for part in ("train", "valid", "test")]

        return parts if all(map(Path.is_dir, parts)) else [root]

    def _pictures(self, folder: Path, pattern: str = "*/*") -> list[Path]:
        return sorted(p for p in folder.glob(pattern) if p.suffix.lower() in self.SUFFIXES)

    def fingerprint(self) -> str:
        root = Path(self.root)
        pictures = [p for part in self._parts() for p in self._pictures(part)]

        # The class of a picture is its folder, so where it lies below the root counts too.
        places = "\n".join(str(p.relative_to(root)) for p in pictures)

        return digest_files(pictures) + hashlib.blake2b(places.encode(), digest_size=4).hexdigest()

    def load(self) -> Splits:
        parts = self._parts()
        names = sorted({p.parent.name for part in parts for p in self._pictures(part)})
        splits = [self._read(part, names) for part in parts]

        if len(splits) == 1:
            fifth = max(1, len(splits[0].x) // 5)
            valid, test, train = carve(*splits[0], fifth, fifth)
            splits = [train, valid, test]

        return Splits(*splits, outputs=len(names))

    def _read(self, folder: Path, names: list[str]) -> Split:
        from PIL import Image, UnidentifiedImageError

        x, y = [], []
        for path in self._pictures(folder):
            try:
                with Image.open(path) as image:
                    pixels = image.convert("L" if self.channels == 1 else "RGB")
                    pixels = np.asarray(pixels.resize((self.size, self.size)), dtype=np.float32)
            except (OSError, UnidentifiedImageError) as error:
                raise UserError(f"cannot read the picture {path}: {error}") from error
            x.append(pixels.reshape(self.size, self.size, self.channels).transpose(2, 0, 1) / 255)
            y.append(names.index(path.parent.name))

        return Split(np.stack(x), np.asarray(y, dtype=np.int64))
