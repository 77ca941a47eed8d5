"""Pictures of a user's own, in folders.

A picture is taken upright, as its EXIF tag says, and in 0 … 1 by the range of its own mode: 8 bits,
16 bits, or floats from 0 to 1. What is transparent shows a grey, white unless data.background= says
otherwise. A mode that has no range, 32-bit integers, is refused.
"""

__all__ = ["ImageFolder"]

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped

from ..errors import UserError, one_line
from ..paths import path_of
from .base import Source, Split, Splits, carve_classes, digest_files

if TYPE_CHECKING:
    from PIL import Image

TRANSPARENT = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})

EIGHT_BITS = TRANSPARENT | {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV"}
"""Pillow's modes whose conversion to 8 bits of grey or colour keeps to their range."""

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)

SPLITS = {
    "train": "train", "training": "train",
    "valid": "valid", "val": "valid", "validation": "valid", "dev": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Names of folders, in any case, and the split that each holds."""

LOOKED_FOR = (
    "looked for CLASS/NAME.png, train/CLASS/NAME.png with val, valid or validation, and test "
    f"beside it or not, of {', '.join(sorted(SUFFIXES))}"
)

READING = "split by class, by the range of the mode, over a background, upright"
"""How pictures are read, part of a fingerprint."""

BITS, PHOTOMETRIC = 258, 262
"""Tags of TIFF: the bits of a sample, and whether 0 is white."""


@dataclass(frozen=True)
class ImageFolder(Source):
    """Any pictures: root/CLASS/*.png, split 60/20/20, or root/{train,valid,test}/CLASS/*.png.

    A split that is missing there, valid or test, is a fifth of each class of train. Hidden files
    and folders are left out; valid may be called val or validation.

    Arguments:
        size: The side in pixels to which pictures are resized.
        channels: 1 for grey, 3 for colour.
        background: The grey behind transparent pixels, from 0, black, to 1, white.
    """

    root: str
    size: int = 32
    channels: int = 3
    background: float = 1.0

    def __post_init__(self) -> None:
        if not path_of(self.root).is_dir():
            raise UserError(f"data.root must be a folder of pictures, got {self.root}")
        self.require_at_least(1, "size")
        self.require_choice("channels", (1, 3))
        if not 0 <= self.background <= 1:
            raise ValueError(f"background must be from 0 to 1, got {self.background:g}")

        parts = self._parts()
        for part in parts.values():
            if not _pictures(part):
                raise UserError(
                    f"data.root: {part} holds no pictures as CLASS/NAME.png; {LOOKED_FOR}"
                )

            empty = [folder for folder in _folders(part) if not _pictures(folder, "**/*")]
            if empty:
                raise UserError(f"data.root: the class {empty[0]} holds no pictures; {LOOKED_FOR}")

        everywhere = _pictures(path_of(self.root), "**/*")
        strays = set(everywhere).difference(*map(_pictures, parts.values()))
        if strays:
            raise UserError(
                "data.root needs its pictures as CLASS/NAME.png, below train, valid and test or "
                f"below none of them, got {min(strays)}"
            )

    def _parts(self) -> dict[str, Path]:
        """Returns the folders that hold the classes by split; one as "train" if it holds all."""

        root = path_of(self.root)
        folders = _folders(root)
        while not _pictures(root) and len(folders) == 1 and folders[0].name.lower() not in SPLITS:
            root = folders[0]  # NAME/NAME, as archives are unpacked
            folders = _folders(root)

        named = [folder for folder in folders if folder.name.lower() in SPLITS]
        loose = [folder for folder in named if _pictures(folder, "*")]
        if loose and named == folders:
            raise UserError(
                f"data.root: the pictures in {loose[0]} need a class, as CLASS/NAME.png"
            )
        found: dict[str, Path] = {}
        for folder in [] if loose else named:
            split = SPLITS[folder.name.lower()]
            if split in found:
                raise UserError(f"data.root: {found[split]} and {folder} are one split: keep one")
            found[split] = folder

        return found if "train" in found else {"train": root}

    def fingerprint(self) -> str:
        root = path_of(self.root)
        pictures = [p for part in self._parts().values() for p in _pictures(part)]

        # The class of a picture is its folder, so where it lies below the root counts too; and how
        # they are read and split, since runs of another way have other data.
        places = "\n".join([READING, *(str(p.relative_to(root)) for p in pictures)])

        return digest_files(pictures) + hashlib.blake2b(places.encode(), digest_size=4).hexdigest()

    def load(self) -> Splits:
        pictures = {split: _pictures(part) for split, part in self._parts().items()}
        names = sorted({path.parent.name for path in pictures["train"]})
        for paths in pictures.values():
            strange = [path.parent for path in paths if path.parent.name not in names]
            if strange:
                raise UserError(f"data.root: the class of {strange[0]} has no training pictures")

        splits = {split: self._read(paths, names) for split, paths in pictures.items()}
        missing = [split for split in ("valid", "test") if split not in splits]
        if missing:
            parts = carve_classes(*splits["train"], len(missing))
            splits |= dict(zip([*missing, "train"], parts, strict=True))

        parts = splits["train"], splits["valid"], splits["test"]

        return Splits(*parts, outputs=len(names), published="test" not in missing)

    def _read(self, pictures: Sequence[Path], names: Sequence[str]) -> Split:
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


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and _is_shown(p, folder))


def _pictures(folder: Path, pattern: str = "*/*") -> list[Path]:
    """Returns the pictures below a folder, in their order."""

    found = (p for p in folder.glob(pattern) if p.suffix.lower() in SUFFIXES)

    return sorted(p for p in found if _is_shown(p, folder) and p.is_file())


def _is_shown(path: Path, folder: Path) -> bool:
    """Whether a path is none that systems add: .git, .ipynb_checkpoints, ._1.png, __MACOSX."""

    return not any(p.startswith(".") or p == "__MACOSX" for p in path.relative_to(folder).parts)


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
