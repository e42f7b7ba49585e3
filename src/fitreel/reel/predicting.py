"""The predicting: what any model predicts on the probes of a film, without leaving a trace."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from fitreel.reel.restoring import evaluating, same_random_numbers

# A module, or anything that maps inputs of the shape of the training's to predictions.
Model = nn.Module | Callable[[Any], Any]
ADDS_TO_ONE = 1e-3  # by how much the probabilities of a row may miss 1


class Prober:
    """The probes of a film, and what models predict on them."""

    def __init__(self, inputs: NDArray[Any], classes: int) -> None:
        """Take the inputs in the shape that the models take, and the number of classes, or 0."""
        self._inputs = inputs
        self._classes = classes
        self._tensor: Tensor | None = None  # the inputs on the device of the last module

    def predict(self, model: Model) -> NDArray[np.float32]:
        """Return the predictions of a model, (probes,), or (probes, classes) for classes.

        A module is evaluated without gradients, on its own device; what it returns for classes are
        logits, unless they are probabilities already. Raises ValueError for another shape.
        """
        # The wrappers of several devices talk to other processes, which would wait for ever.
        if isinstance(model, DataParallel | DistributedDataParallel):
            model = model.module
        with same_random_numbers():
            if isinstance(model, nn.Module):
                with evaluating(model):
                    outputs = _array(model(self._on_device_of(model)))
            else:
                outputs = _array(model(self._inputs))
        if self._classes:
            return _probabilities(outputs, self._classes, len(self._inputs), _is_logit(model))
        return _numbers(outputs, len(self._inputs))

    def _on_device_of(self, module: nn.Module) -> Tensor:
        first = next(module.parameters(), None)
        device = first.device if first is not None else torch.device("cpu")
        is_float = first is not None and first.dtype.is_floating_point
        kind = first.dtype if first is not None and is_float else torch.float32
        if self._tensor is None or (self._tensor.device, self._tensor.dtype) != (device, kind):
            self._tensor = torch.from_numpy(self._inputs).to(device, kind)
        return self._tensor


def _array(outputs: Any) -> NDArray[np.float32]:
    if isinstance(outputs, Tensor):
        outputs = outputs.detach().to("cpu", torch.float32).numpy()
    try:
        found: NDArray[np.float32] = np.array(outputs, np.float32)  # a copy: models reuse memory
    except (TypeError, ValueError):
        raise ValueError(
            f"a model must return an array of numbers; got {type(outputs).__name__}"
        ) from None
    return found


def _is_logit(model: Model) -> bool:
    """Return whether a single output of a model for two classes is a logit.

    That cannot be seen from the numbers: those of a new network are between 0 and 1, too.
    """
    if not isinstance(model, nn.Module):
        return False
    *_, last = model.modules()
    return not isinstance(last, nn.Sigmoid)


def _numbers(outputs: NDArray[np.float32], probes: int) -> NDArray[np.float32]:
    if outputs.shape == (probes, 1):
        outputs = outputs[:, 0]
    if outputs.shape != (probes,):
        raise ValueError(
            f"the model must return {probes} predictions, of shape ({probes},) or ({probes}, 1); "
            f"got shape {outputs.shape}"
        )
    return outputs


def _probabilities(
    outputs: NDArray[np.float32], classes: int, probes: int, is_logit: bool
) -> NDArray[np.float32]:
    if classes == 2 and outputs.shape in {(probes,), (probes, 1)}:
        second = outputs.reshape(-1).astype(np.float64)
        if is_logit:
            second = 1 / (1 + np.exp(-np.clip(second, -700, 700)))
        elif ((second < 0) | (second > 1)).any():
            raise ValueError("the model must return probabilities of the second class, from 0 to 1")
        return np.stack([1 - second, second], axis=1).astype(np.float32)
    if outputs.shape != (probes, classes):
        raise ValueError(
            f"the model must return predictions of shape ({probes}, {classes}), one a class; got "
            f"shape {outputs.shape}"
        )
    sums = outputs.sum(axis=1)
    if (outputs >= 0).all() and (np.abs(sums - 1) < ADDS_TO_ONE).all():
        return outputs
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    found: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return found
