"""Columns of numbers: any array, list, series or table becomes a tensor."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from fitreel.checks.text import shown

Numbers = Tensor | ArrayLike  # a pandas series is an ArrayLike, too
NUMERIC = "biufO"  # numpy's kinds: truth values, integers, floats, and objects such as Decimal


def column(name: str, numbers: Numbers) -> Tensor:
    """Copy numbers of shape (points,) or (points, 1) into a float32 tensor of shape (points,).

    Raises ValueError, which names the value, if they have another shape, or if one is not a number
    that is finite in float32.
    """
    values = _real(name, numbers)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        shape = tuple(values.shape)
        raise ValueError(f"{name} must be of shape (points,) or (points, 1); got shape {shape}")
    return _finite(name, values)


def matrix(name: str, numbers: Numbers) -> Tensor:
    """Copy numbers of shape (rows,) or (rows, features) into a float32 tensor, (rows, features).

    Raises ValueError as ``column`` does.
    """
    values = _real(name, numbers)
    if values.ndim == 1:
        values = values.unsqueeze(1)
    if values.ndim != 2 or not values.shape[1]:
        shape = tuple(values.shape)
        raise ValueError(f"{name} must be of shape (rows,) or (rows, features); got shape {shape}")
    return _finite(name, values)


def places(name: str, numbers: Numbers, classes: int) -> Tensor:
    """Copy places of classes, whole numbers from 0, into an int64 tensor of shape (rows,)."""
    values = column(name, numbers)
    whole = values.to(torch.int64)
    wrong = (whole != values) | (whole < 0) | (whole >= classes)
    if wrong.any():
        value = values[wrong.nonzero()[0]].item()
        raise ValueError(f"{name} must be places of {classes} classes, from 0; got {value:g}")
    return whole


def _real(name: str, numbers: Numbers) -> Tensor:
    values = numbers.detach().cpu() if isinstance(numbers, Tensor) else _as_tensor(name, numbers)
    if values.is_complex():
        raise ValueError(f"{name} must be real numbers; got {values.dtype}")
    return values


def _finite(name: str, values: Tensor) -> Tensor:
    # In memory of its own, aligned: sums over slices differ in the last bit.
    copy = values.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    # Least and greatest are nan if a number is; isfinite would need the memory of all once more.
    if copy.numel() and not torch.stack(torch.aminmax(copy)).isfinite().all():
        place = tuple((~copy.isfinite()).nonzero()[0].tolist())
        value = values[place].item()  # before it was rounded: 1e300 is infinite in float32
        where = ", ".join(map(str, place[:1] if values.shape[1:] in {(), (1,)} else place))
        raise ValueError(f"the numbers of a dataset must be finite; {name}[{where}] is {value}")
    return copy


def _as_tensor(name: str, numbers: ArrayLike) -> Tensor:
    try:
        array = np.asarray(numbers)
        # Numpy would read a text such as "1" among objects as a number, but not among texts.
        has_text = array.dtype.kind == "O" and any(isinstance(each, str) for each in array.flat)
        if array.ndim and array.dtype.kind in NUMERIC and not has_text:
            # Not yet float32, in which a number too large would be infinite, and not be named.
            return torch.from_numpy(array.astype(np.float64))
    except (ValueError, TypeError, OverflowError):  # rows of unequal length, or objects
        pass
    raise ValueError(f"{name} must be a column of numbers; got {_first_other(numbers)}")


def _first_other(numbers: object) -> str:
    """Return the first value that is not a number, or else all of them, as text."""
    values = np.asarray(numbers, dtype=object).ravel()  # of a text or a set: itself
    return shown(repr(next((each for each in values if not _is_number(each)), numbers)))


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, str) and math.isfinite(float(value))
    except (ValueError, TypeError, OverflowError):
        return False
