"""What a data source must give, checked in one place for the sets of the package and of users.

    x  finite numbers, a sample a row, not all alike in the training split;
    y  classes 0, …, outputs − 1, each of them in the training split, or
       vectors of `outputs` finite numbers, not all alike in the training split.

Of a class at each time step, a token of a vocabulary, the training split may lack some.
"""

__all__ = ["checked"]

from dataclasses import replace
from typing import Any, NoReturn

import numpy as np

from ..errors import UserError, one_line
from .base import Split, Splits

LARGEST = float(np.finfo(np.float32).max)

STRINGS = "OSTU"
"""The kinds of arrays that hold words, or anything."""


def checked(made: Any, name: str) -> Splits:
    """Returns what a source has loaded, as arrays that PyTorch takes; values of y as vectors.

    Raises:
        UserError: If it is not what it must be; the line names data, split and row.
    """

    if not isinstance(made, Splits):
        given = type(made).__name__
        raise UserError(f"data: {name}.load() must return isoexp.data.Splits, got {given}")
    outputs = made.outputs
    if isinstance(outputs, bool) or not isinstance(outputs, int | np.integer) or outputs < 1:
        raise UserError(f"data: {name}: outputs must be a whole number from 1 up, got {outputs!r}")

    where = {split: f"data: {name}, {split} split" for split in ("train", "valid", "test")}
    parts = {split: _arrays(at, getattr(made, split)) for split, at in where.items()}
    train = parts["train"]
    for at, part in zip(where.values(), parts.values(), strict=True):
        _check_sizes(at, part, train)
        _check_finite(at, "inputs", part.x)
        if train.y.dtype.kind == "f":
            _check_values(at, part.y, outputs)
        else:
            _check_classes(at, part, outputs)
    _check_variety(where["train"], train, outputs)
    for key, factor in made.factors.items():
        if np.shape(factor.values) != (len(parts["test"].x),):
            _refuse(where["test"], f"factor {key} must have a value a sample")
        _check_finite(where["test"], f"the factor {key}", np.asarray(factor.values))

    return replace(made, **parts, outputs=int(outputs))


def _refuse(where: str, message: str, row: int | None = None) -> NoReturn:
    raise UserError(f"{where}{'' if row is None else f', row {row}'}: {message}")


def _arrays(where: str, split: Any) -> Split:
    try:
        x, y = split
    except (TypeError, ValueError):
        _refuse(where, f"it must be Split(x, y), got {type(split).__name__}")
    x, y = _array(where, "inputs", x), _array(where, "targets", y)
    if y.dtype.kind != "f":
        return Split(_floats(x), np.ascontiguousarray(y, np.int64))

    return Split(_floats(x), _floats(y).reshape(len(y), -1) if y.size else y)


def _array(where: str, what: str, given: Any) -> np.ndarray:
    """Returns an array of numbers."""

    try:
        array = np.asarray(given)
    except Exception as error:  # of any kind of object: ragged lists, tensors of another device
        _refuse(where, f"{what} must be an array of numbers: {one_line(error)}")
    if array.dtype.kind not in "fiub" or not array.ndim:
        such = f" such as {array.ravel()[:1].tolist()[0]!r}" if array.size else ""
        number = ": number the classes, np.unique(y, return_inverse=True)[1]"
        hint = number if what == "targets" and array.dtype.kind in STRINGS else ""
        _refuse(where, f"{what} must be an array of numbers, got {array.dtype}{such}{hint}")

    return array


def _floats(array: np.ndarray) -> np.ndarray:
    """Returns numbers as PyTorch takes them: in one of its types, byte orders and strides."""

    small = array.dtype.itemsize <= (4 if array.dtype.kind == "f" else 2)

    return np.ascontiguousarray(array, np.float32 if small else np.float64)


def _check_sizes(where: str, part: Split, train: Split) -> None:
    x, y = part
    if len(x) != len(y):
        _refuse(where, f"there must be a target an input, got {len(x)} inputs, {len(y)} targets")
    if not len(x):
        _refuse(where, "it must hold samples, got none")
    if x.ndim < 2 or not x.size:
        _refuse(where, f"inputs must have a shape (samples, features), got {x.shape}")
    for what, own, first in (("inputs", x, train.x), ("targets", y, train.y)):
        if (own.shape[1:], own.dtype.kind) != (first.shape[1:], first.dtype.kind):
            _refuse(
                where,
                f"{what} must be like those of the training split, {first.dtype} of shape "
                f"{first.shape[1:]}, got {own.dtype} of shape {own.shape[1:]}",
            )


def _check_finite(where: str, what: str, values: np.ndarray) -> None:
    if values.min() >= -LARGEST and values.max() <= LARGEST:  # both are NaN where one value is
        return

    place = np.argwhere(~(abs(values) <= LARGEST))[0]
    _refuse(where, f"{what} must be finite, got {values[tuple(place)]}", int(place[0]))


def _check_values(where: str, y: np.ndarray, outputs: int) -> None:
    if y.shape[1] != outputs:
        hint = "; classes must be integers: y.astype(int)" if y.shape[1] == 1 else ""
        _refuse(where, f"targets have {y.shape[1]} values, outputs says {outputs}{hint}")
    _check_finite(where, "targets", y)


def _check_classes(where: str, part: Split, outputs: int) -> None:
    x, y = part
    if outputs < 2:
        _refuse(
            where,
            f"outputs must be at least 2 for classes, got {outputs}; values to be predicted must "
            "be floats: y.astype('float32')",
        )
    if y.ndim > 1 and not (x.ndim == 3 and y.shape[1:] == x.shape[1:2]):
        _refuse(
            where,
            f"classes must be one a sample, or one a time step, got {y.shape[1:]} a sample of "
            f"shape {x.shape[1:]}: y.argmax(1) of a one-hot, y.ravel() of a column",
        )
    if y.min() < 0 or y.max() >= outputs:
        place = np.argwhere((y < 0) | (y >= outputs))[0]
        _refuse(
            where,
            f"classes must be from 0 to {outputs - 1}, as outputs={outputs} says, "
            f"got {y[tuple(place)]}",
            int(place[0]),
        )


def _check_variety(where: str, train: Split, outputs: int) -> None:
    x, y = train
    if y.dtype.kind == "f":
        if (y == y[0]).all():
            _refuse(where, f"targets must vary, got {y[0].tolist()} in all {len(y)} rows")
    else:
        present = np.bincount(y.ravel(), minlength=outputs) > 0
        missing = np.flatnonzero(~present)
        if present.sum() < 2 or (y.ndim == 1 and len(missing)):
            _refuse(
                where,
                f"it must hold samples of every class from 0 to {outputs - 1}, "
                f"got {len(y)} samples and none of class {missing[0]}",
            )
    if (x == x[0]).all():
        _refuse(where, f"inputs must vary, got {len(x)} that are all alike")
