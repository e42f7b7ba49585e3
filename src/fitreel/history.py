"""The history: what a training leaves behind, and the files that keep it."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fitreel.network import Weights
from fitreel.settings import ActivationName

# The names under which a torch module of the same structure keeps its weights.
STATE_NAMES = ("hidden.weight", "hidden.bias", "output.weight", "output.bias")


@dataclass(frozen=True, eq=False)
class History:
    """Hold the loss of every epoch and the weights at every frame, each before its update."""

    losses: NDArray[np.float64]  # (epochs,)
    frame_epochs: NDArray[np.int64]  # (frames,)
    frames: Weights  # with a leading dimension (frames,)

    def __post_init__(self) -> None:
        count, epochs = len(self.frame_epochs), len(self.losses)
        if not 0 < count == len(self.frames.output_bias):
            raise ValueError(
                f"{count} frame epochs do not fit {len(self.frames.output_bias)} frames"
            )
        if self.frame_epochs[0] < 0 or (np.diff(self.frame_epochs) <= 0).any():
            raise ValueError("the epochs of the frames must rise from 0 or later")
        if self.frame_epochs[-1] >= epochs:
            raise ValueError(
                f"the last frame shows epoch {self.frame_epochs[-1]}, "
                f"but the losses end before epoch {epochs}"
            )


def save_losses(losses: NDArray[np.float64], path: Path) -> None:
    """Write epoch and loss as a CSV file, nine digits: exact for the float32 losses of torch."""
    rows = np.stack([np.arange(len(losses)), losses], axis=1)
    np.savetxt(path, rows, fmt=["%d", "%.9g"], delimiter=",", header="epoch,loss", comments="")


def load_losses(path: Path) -> NDArray[np.float64]:
    """Read the losses back; ValueError if the epochs are not 0, 1, 2, … or a loss is missing."""
    try:
        rows = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2, encoding="utf-8")
        if rows.shape[1] != 2 or not np.array_equal(rows[:, 0], np.arange(len(rows))):
            raise ValueError("its epochs are not 0, 1, 2, …")
    except ValueError as error:
        raise ValueError(f"{path.name} is no history: {error}") from None
    return np.asarray(rows[:, 1], dtype=np.float32).astype(np.float64)


def first_difference(ours: ArrayLike, theirs: ArrayLike) -> int | None:
    """Give the first epoch at which two rows of losses are not equal to the last bit, or None.

    Where one row ends before the other, that is the epoch after its last.
    """
    one, other = (np.asarray(row, dtype=np.float64).view(np.int64) for row in (ours, theirs))
    common = min(len(one), len(other))
    (different,) = np.nonzero(one[:common] != other[:common])
    if len(different):
        return int(different[0])
    return common if len(one) != len(other) else None


def save_frames(history: History, path: Path) -> None:
    """Write the weights of every frame as safetensors, one stacked tensor a parameter."""
    tensors = _state(history.frames) | {"epoch": torch.from_numpy(history.frame_epochs)}
    _write(path, tensors, history.frames.activation)


def load_history(losses: Path, frames: Path) -> History:
    """Read a history from its two files; ValueError names the one that is wrong."""
    values = load_losses(losses)
    tensors, activation = _read(frames, (*STATE_NAMES, "epoch"))
    try:
        epochs = tensors.pop("epoch").numpy().astype(np.int64)
        return History(values, epochs, _weights(tensors, activation))
    except (ValueError, IndexError) as error:
        raise ValueError(f"{frames.name}: {error}") from None


def save_weights(weights: Weights, path: Path) -> None:
    """Write all parameters as safetensors, named and shaped as a torch module's state."""
    _write(path, _state(weights), weights.activation)


def load_weights(path: Path) -> Weights:
    """Read the parameters and the activation back; ValueError names the file if it is none."""
    tensors, activation = _read(path, STATE_NAMES)
    try:
        return _weights(tensors, activation)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{path.name}: {error}") from None


def save_weight_table(weights: Weights, path: Path) -> None:
    """Write a row a hidden neuron: neuron, input_weight, bias, output_weight."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["neuron", "input_weight", "bias", "output_weight"])
        columns = (weights.input_weight, weights.bias, weights.output_weight)
        for neuron, row in enumerate(torch.stack(columns, dim=1).tolist()):
            writer.writerow([neuron, *(f"{number:.9g}" for number in row)])


def _state(weights: Weights) -> dict[str, torch.Tensor]:
    tensors = (
        weights.input_weight.unsqueeze(-1),  # (..., hidden, 1)
        weights.bias,  # (..., hidden)
        weights.output_weight.unsqueeze(-2),  # (..., 1, hidden)
        weights.output_bias.unsqueeze(-1),  # (..., 1)
    )
    return {name: tensor.contiguous() for name, tensor in zip(STATE_NAMES, tensors, strict=True)}


def _weights(state: dict[str, torch.Tensor], activation: ActivationName) -> Weights:
    # Copies: what safetensors reads is not aligned, and sums over it differ in the last bit.
    copies = [state[name].to(torch.float32, copy=True) for name in STATE_NAMES]
    return Weights.from_parameters(copies, activation)


def _write(path: Path, tensors: dict[str, torch.Tensor], activation: ActivationName) -> None:
    try:
        save_file(tensors, path, metadata={"activation": activation})
    except SafetensorError as error:  # which is no OSError, though the disk is full
        raise OSError(f"{path} cannot be written: {error}") from error


def _read(path: Path, names: tuple[str, ...]) -> tuple[dict[str, torch.Tensor], ActivationName]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in names}
            activation = (file.metadata() or {}).get("activation")
    except SafetensorError as error:
        raise ValueError(f"{path.name} holds no weights: {error}") from None
    for known in get_args(ActivationName):
        if activation == known:
            return tensors, known
    raise ValueError(f"{path.name} names no known activation; got {activation!r}")
