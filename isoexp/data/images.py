"""Standard sets of pictures.

A folder given with data.root= is the only one looked through; else $ISOEXP_DATA
or, without it, ~/.cache/isoexp/data, then where Debian's packages put data. A missing set is
downloaded by torchvision into the first of these; where no network answers, one line says what else
to do.
"""

__all__ = ["CIFAR10", "CIFAR100", "EMNIST", "MNIST", "FashionMNIST"]

import gzip
import os
import socket
import tarfile
import zlib
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np

from ..errors import NotHere, UserError, one_line
from ..paths import path_of
from .base import Source, Split, Splits, carve, digest_files

NETWORK_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class StandardImages(Source):
    """Abstract standard image set, known to torchvision by the name of the class.

    Its files lie in root as torchvision or the publisher lay them out; `valid` training images are
    set apart for validation.
    """

    root: str | None = None
    valid: int = 5000

    classes: ClassVar[int] = 10
    system: ClassVar[str] = ""
    options: ClassVar[dict[str, Any]] = {}

    def __post_init__(self) -> None:
        self.require_at_least(1, "valid")
        if self.root is not None and not path_of(self.root).is_dir():
            raise UserError(f"data.root must be a folder, got {self.root}")

    @abstractmethod
    def files(self, folder: Path) -> list[Path]:
        """Returns the files of the set below a folder; none where it is not there."""

    @abstractmethod
    def lacking(self, folder: Path) -> str:
        """Names the files that were looked for below a folder and not found."""

    @abstractmethod
    def read(self, folder: Path) -> tuple[Split, Split]:
        """Reads the training and test images of the set below a folder."""

    def fingerprint(self) -> str:
        return digest_files(self.files(self.locate()))

    def load(self) -> Splits:
        train, test = self.read(self.locate())
        valid, train = carve(*train, self.valid)

        return Splits(train, valid, test, outputs=self.classes, published=True)

    def locate(self) -> Path:
        """Returns the folder that holds the set, and downloads it if there is none."""

        cache = Path(os.environ.get("ISOEXP_DATA", Path.home() / ".cache" / "isoexp" / "data"))
        system = [Path(self.system)] if self.system else []

        for place in [path_of(self.root)] if self.root else [cache, *system]:
            if self.files(place):
                return place

        if self.root:
            name = type(self).__name__
            raise NotHere(
                f"data.root={self.root} holds no {name} files: looked for "
                f"{self.lacking(path_of(self.root))}"
            )
        self.download(cache)

        return cache

    def download(self, folder: Path) -> None:
        """Downloads the set through torchvision; raises UserError, after seconds, if it cannot."""

        from torchvision import datasets

        name = type(self).__name__
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(NETWORK_TIMEOUT_S)
        try:
            getattr(datasets, name)(str(folder), download=True, **self.options)
        except (OSError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            debian = ", install Debian's dataset-fashion-mnist" if self.system else ""
            raise NotHere(
                f"{name} is not on this machine and cannot be downloaded ({reason}): name its "
                f"folder with data.root={debian}, or use data=digits, which needs no network"
            ) from error
        finally:
            socket.setdefaulttimeout(before)


class _IDX(StandardImages):
    """Image sets in the IDX format of MNIST, gzipped or not, whatever the files' names say of it.

    They lie as torchvision, the publishers and Kaggle have them: in the folder or one of PLACES, as
    train-images-idx3-ubyte or train-images.idx3-ubyte, or in a folder of that name.
    """

    parts: ClassVar[tuple[str, str]] = "train", "t10k"

    PLACES: ClassVar[tuple[str, ...]] = "", "raw", "gzip", "raw/gzip"

    def files(self, folder: Path) -> list[Path]:
        found = self._found(folder)

        return [path for path in found.values() if path] if all(found.values()) else []

    def lacking(self, folder: Path) -> str:
        names = [name for name, path in self._found(folder).items() if not path]
        places = ", ".join(f"{place}/" for place in self.PLACES if place)

        return (
            f"{' and '.join(names)} (or .gz, or with a dot), there and in {places} and "
            f"{type(self).__name__}/"
        )

    def _found(self, folder: Path) -> dict[str, Path | None]:
        """Returns the file of each part, by its usual name."""

        roots = folder, folder / type(self).__name__
        places = [root / place for root in roots for place in self.PLACES]
        found = {}
        for part, kind in product(self.parts, ("images-idx3", "labels-idx1")):
            names = [f"{part}-{each}-ubyte" for each in (kind, kind.replace("-", "."))]
            names = [name + end for name in names for end in ("", ".gz")]
            options = [
                place / inner / name
                for place in places
                for name in names
                for inner in ("", name.removesuffix(".gz"))
            ]
            found[names[0]] = next(filter(Path.is_file, options), None)

        return found

    def read(self, folder: Path) -> tuple[Split, Split]:
        a, b, c, d = (_read_idx(path) for path in self.files(folder))
        for images, labels in ((a, b), (c, d)):
            if images.ndim != 3 or labels.shape != images.shape[:1]:
                raise UserError(
                    f"the {type(self).__name__} files in {folder} need a label an image, got "
                    f"images {images.shape}, labels {labels.shape}; fetch them again"
                )

        return self.split(a, b), self.split(c, d)

    def split(self, images: np.ndarray, labels: np.ndarray) -> Split:
        x = images[:, None].astype(np.float32) / 255

        return Split(x, labels.astype(np.int64))


class MNIST(_IDX):
    """60,000 + 10,000 handwritten digits, 28×28, 10 classes."""


class FashionMNIST(_IDX):
    """60,000 + 10,000 pictures of clothes, 28×28, 10 classes (Xiao, Rasul, Vollgraf, 2017)."""

    system: ClassVar[str] = "/usr/share/datasets/fashion-mnist"


class EMNIST(_IDX):
    """112,800 + 18,800 handwritten letters and digits, 28×28, 47 balanced classes."""

    classes: ClassVar[int] = 47
    parts: ClassVar[tuple[str, str]] = "emnist-balanced-train", "emnist-balanced-test"
    options: ClassVar[dict[str, Any]] = {"split": "balanced"}

    def split(self, images: np.ndarray, labels: np.ndarray) -> Split:
        return super().split(images.transpose(0, 2, 1), labels)  # published transposed


class CIFAR10(StandardImages):
    """50,000 + 10,000 colour pictures, 32×32, 10 classes (Krizhevsky, 2009)."""

    folder: ClassVar[str] = "cifar-10-batches-py"
    archive: ClassVar[str] = "cifar-10-python.tar.gz"

    def files(self, folder: Path) -> list[Path]:
        batches, packed = self._batches(folder), self._packed(folder)

        return _shown(batches) if batches else [packed] if packed else []

    def lacking(self, folder: Path) -> str:
        return f"{self.folder}/ and {self.archive}, there and in {type(self).__name__}/"

    def fingerprint(self) -> str:
        with self._unpacked(self.locate()) as folder:
            return digest_files(self.files(folder))

    def _batches(self, folder: Path) -> Path | None:
        """Returns the folder of the batches, at or below a folder."""

        own = [folder] if folder.name == self.folder else []
        below = folder / self.folder
        places = [below, below / self.folder, folder / type(self).__name__ / self.folder, *own]

        return next((place for place in places if place.is_dir() and _shown(place)), None)

    def _packed(self, folder: Path) -> Path | None:
        """Returns the archive of the batches as it is published; browsers may unzip it."""

        places = folder, folder / type(self).__name__
        names = self.archive, self.archive.removesuffix(".gz")

        return next(filter(Path.is_file, (p / name for p in places for name in names)), None)

    @contextmanager
    def _unpacked(self, folder: Path) -> Iterator[Path]:
        """Yields a folder that holds that of the batches: a temporary one if they are packed."""

        if batches := self._batches(folder):
            yield batches.parent
            return

        packed = self._packed(folder)
        assert packed
        with TemporaryDirectory() as place:
            made = Path(place) / self.folder
            made.mkdir()
            try:
                with tarfile.open(packed) as archive:
                    for member in archive:
                        at = PurePosixPath(member.name)
                        content = archive.extractfile(member) if member.isfile() else None
                        if content and at.parent.name == self.folder and at.name[0] != ".":
                            (made / at.name).write_bytes(content.read())
            except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
                raise UserError(
                    f"cannot read {packed}: {one_line(error)}; fetch it again"
                ) from error
            yield Path(place)

    def read(self, folder: Path) -> tuple[Split, Split]:
        with self._unpacked(folder) as root:
            return self._read(root, self._batches(folder) or self._packed(folder))

    def _read(self, root: Path, named: Path | None) -> tuple[Split, Split]:
        from torchvision import datasets

        # torchvision checks the published MD5 sums before it unpickles the batches.
        make = getattr(datasets, type(self).__name__)
        try:
            parts = [make(str(root), train=train) for train in (True, False)]
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"the {type(self).__name__} files in {named} are incomplete or altered "
                f"({one_line(error)}); fetch them again"
            ) from error

        x = [part.data.transpose(0, 3, 1, 2).astype(np.float32) / 255 for part in parts]
        y = [np.asarray(part.targets, dtype=np.int64) for part in parts]

        return Split(x[0], y[0]), Split(x[1], y[1])


class CIFAR100(CIFAR10):
    """50,000 + 10,000 colour pictures, 32×32, 100 classes (Krizhevsky, 2009)."""

    classes: ClassVar[int] = 100
    folder: ClassVar[str] = "cifar-100-python"
    archive: ClassVar[str] = "cifar-100-python.tar.gz"


def _shown(folder: Path) -> list[Path]:
    """Returns the files of a folder, without those that systems hide in it."""

    return [path for path in folder.iterdir() if path.is_file() and path.name[0] != "."]


def _read_idx(path: Path) -> np.ndarray:
    """Reads an array of bytes in the IDX format: 0, 0, 8, rank, then big-endian sizes."""

    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        if raw[:3] != b"\0\0\x08":
            raise ValueError("it is not an IDX file of bytes")

        shape = np.frombuffer(raw, ">i4", count=raw[3], offset=4)

        return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)
    except (OSError, EOFError, IndexError, ValueError, zlib.error) as error:
        raise UserError(f"cannot read {path}: {one_line(error)}; fetch it again") from error
