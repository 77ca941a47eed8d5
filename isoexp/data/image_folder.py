"""Pictures of a user's own, in folders.

A picture is taken upright, as its EXIF tag says, and in 0 … 1 by the range of its own mode: 8 bits,
16 bits, or floats from 0 to 1. What is transparent shows a grey, white unless data.background= says
otherwise. A mode that has no range, 32-bit integers, is refused.
"""

__all__ = ["ImageFolder"]

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from ..errors import UserError, one_line
from .base import Source, Split, Splits, carve_classes, digest_files

if TYPE_CHECKING:
    from PIL import Image

TRANSPARENT = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})

EIGHT_BITS = TRANSPARENT | {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV"}
"""Pillow's modes whose conversion to 8 bits of grey or colour keeps to their range."""

READING = "split by class, by the range of the mode, over a background, upright"
"""How pictures are read, part of a fingerprint."""

BITS, PHOTOMETRIC = 258, 262
"""Tags of TIFF: the bits of a sample, and whether 0 is white."""


@dataclass(frozen=True)
class ImageFolder(Source):
    """Any pictures: root/CLASS/*.png, split 60/20/20, or root/{train,valid,test}/CLASS/*.png.

    Arguments:
        size: The side in pixels to which pictures are resized.
        channels: 1 for grey, 3 for colour.
        background: The grey behind transparent pixels, from 0, black, to 1, white.
    """

    root: str
    size: int = 32
    channels: int = 3
    background: float = 1.0

    SUFFIXES: ClassVar[frozenset[str]] = frozenset(
        {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
    )

    def __post_init__(self) -> None:
        if not Path(self.root).is_dir():
            raise UserError(f"data.root must be a folder of pictures, got {self.root}")
        self.require_at_least(1, "size")
        self.require_choice("channels", (1, 3))
        if not 0 <= self.background <= 1:
            raise ValueError(f"background must be from 0 to 1, got {self.background:g}")
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

        # The class of a picture is its folder, so where it lies below the root counts too; and how
        # they are read and split, since runs of another way have other data.
        places = "\n".join([READING, *(str(p.relative_to(root)) for p in pictures)])

        return digest_files(pictures) + hashlib.blake2b(places.encode(), digest_size=4).hexdigest()

    def load(self) -> Splits:
        parts = self._parts()
        names = sorted({p.parent.name for part in parts for p in self._pictures(part)})
        splits = [self._read(part, names) for part in parts]

        if len(splits) == 1:
            valid, test, train = carve_classes(*splits[0], 2)
            splits = [train, valid, test]

        return Splits(*splits, outputs=len(names))

    def _read(self, folder: Path, names: list[str]) -> Split:
        pictures = self._pictures(folder)
        x = [self._pixels(path) for path in pictures]
        y = [names.index(path.parent.name) for path in pictures]

        return Split(np.stack(x), np.asarray(y, dtype=np.int64))

    def _pixels(self, path: Path) -> Float[np.ndarray, "{self.channels} {self.size} {self.size}"]:
        from PIL import Image, ImageOps

        side = self.size, self.size
        try:
            with Image.open(path) as image:
                upright = ImageOps.exif_transpose(image)
                if image.mode in EIGHT_BITS:
                    flat = _over(upright, self.background)
                    eight = flat.convert("L" if self.channels == 1 else "RGB").resize(side)
                    x = np.asarray(eight, dtype=np.float32) / 255
                else:
                    grey = _grey(image, np.asarray(upright), self.background)
                    x = np.asarray(Image.fromarray(grey).resize(side)).clip(0, 1)
        except Exception as error:  # SyntaxError, struct.error …: a file can be broken in many ways
            raise UserError(f"cannot read the picture {path}: {one_line(error)}") from error

        return np.broadcast_to(x.reshape(*side, -1), (*side, self.channels)).transpose(2, 0, 1)


def _over(image: "Image.Image", background: float) -> "Image.Image":
    """Returns a picture of 8 bits over a grey, where it is transparent."""

    from PIL import Image

    if image.mode not in TRANSPARENT and "transparency" not in image.info:
        return image
    image = image.convert("LA") if image.mode == "La" else image
    ground = Image.new("RGBA", image.size, (*[round(255 * background)] * 3, 255))

    return Image.alpha_composite(ground, image.convert("RGBA"))


def _grey(
    image: "Image.Image", pixels: Shaped[np.ndarray, "rows columns *bands"], background: float
) -> Float[np.ndarray, "rows columns"]:
    """Returns the pixels of a picture of more than 8 bits in 0 … 1, by the range of its mode.

    Raises:
        ValueError: If the mode has no range, or the pixels do not keep to it.
    """

    tags = getattr(image, "tag_v2", {})
    sixteen = image.mode.startswith("I;16") or (
        image.mode == "I" and image.format in ("PNG", "PPM")  # Pillow's mode for their 16 bits
    )
    if sixteen:
        largest = 2 ** tags.get(BITS, (16,))[0] - 1
    elif image.mode == "F":
        largest = 1
    else:
        raise ValueError(
            f"pictures of mode {image.mode} have no range of their own: save it in 8 or 16 bits"
        )

    values = pixels.astype(np.float32) / np.float32(largest)
    if not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"pictures of mode {image.mode} must be from 0 to {largest}, "
            f"got {pixels.min():g} to {pixels.max():g}"
        )
    if tags.get(PHOTOMETRIC) == 0:
        values = 1 - values  # white is zero: Pillow inverts it in 8 bits alone
    if "transparency" in image.info:
        values[pixels == image.info["transparency"]] = background

    return values
