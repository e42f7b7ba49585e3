"""The rows that a film shows: anybody's inputs and targets become a dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitreel.checks.text import plain
from fitreel.data.column import Numbers
from fitreel.data.dataset import Dataset


def dataset_of(
    x: Numbers,
    y: Numbers,
    *,
    names: Sequence[str] = (),
    target: str = "",
    classes: Sequence[Any] = (),
) -> Dataset:
    """Return the dataset of inputs, (rows, …), and targets, (rows,).

    Several features are a row of numbers, however they are arranged. Names are those of a table's
    columns unless ``names`` and ``target`` are given. Targets that are texts or truth values are
    classes, in their order; ``classes`` are the names of classes whose places the targets are, or
    the values among the targets. Raises ValueError for what is not a number or not a class.
    """
    columns = [str(name) for name in getattr(x, "columns", ())]
    inputs = x.detach().cpu() if isinstance(x, Tensor) else np.asarray(x)
    if inputs.ndim > 2:
        inputs = inputs.reshape(len(inputs), -1)
    targets = y.detach().cpu().numpy() if isinstance(y, Tensor) else np.asarray(y)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    places, found = _classes(targets, list(classes))
    return Dataset(
        inputs,
        targets if places is None else places,
        features=[plain(name) for name in (*(names or columns),)],
        target=plain(target or str(getattr(y, "name", None) or "y")),
        classes=found,
    )


def _classes(
    targets: NDArray[Any], classes: list[Any]
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Return the places of the targets' classes and the names of these; None for numbers."""
    if not classes and targets.dtype.kind not in "bUSO":
        return None, ()
    if (
        not classes
        and targets.dtype.kind == "O"
        and not any(isinstance(each, str) for each in targets)
    ):
        return None, ()
    if not classes:
        classes = np.unique(targets.astype(str) if targets.dtype.kind == "O" else targets).tolist()
    names = tuple(plain(str(each)) for each in classes)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"classes must be two or more, all different; got {', '.join(names)}")
    is_text = targets.dtype.kind in "USO"
    if targets.dtype.kind == "b":
        return targets.astype(np.int64), names
    known = {str(each) if is_text else each: place for place, each in enumerate(classes)}
    values = [str(each) if is_text else each for each in targets.tolist()]
    if all(value in known for value in values):
        return np.array([known[value] for value in values], np.int64), names
    if is_text:
        strange = next(value for value in values if value not in known)
        raise ValueError(f"the targets have '{plain(strange)}', which is not one of classes")
    # The dataset names what is wrong with numbers that are not places.
    return targets, names


def shaped(inputs: Tensor, x: Numbers) -> NDArray[Any]:
    """Return inputs, (rows, features), in the shape and the type of the numbers ``x``."""
    kind = _float_type(x)
    shape = np.shape(x)[1:]
    return inputs.numpy().astype(kind).reshape(len(inputs), *shape)


def _float_type(x: Numbers) -> Any:
    kind = getattr(x, "dtype", None)
    if isinstance(kind, torch.dtype):
        return np.float64 if kind == torch.float64 else np.float32
    return np.float64 if kind == np.float64 else np.float32
