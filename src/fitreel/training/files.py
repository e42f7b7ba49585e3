"""The files of a network's weights: one network, or the frames of a training."""

import csv
import math
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fitreel.checks.files import check_size
from fitreel.checks.text import shown
from fitreel.settings import MOST_NEURONS, ActivationName
from fitreel.training.history import History
from fitreel.training.loss_file import load_losses
from fitreel.training.weights import Weights

LARGEST_HEADER = 100_000  # bytes before the numbers of safetensors; ours are below 1,000
BLOCK = 2**23  # bytes of numbers that are read at once
LARGEST_WEIGHTS = LARGEST_HEADER + 4 * Weights.count(MOST_NEURONS)

# The names under which a torch module of the same structure keeps its weights.
STATE_NAMES = ("hidden.weight", "hidden.bias", "output.weight", "output.bias")
TRAINED_LOSS = "trained_loss"  # fitreel 0.3 wrote none, and no frame of the trained network


def save_frames(history: History, path: Path) -> None:
    """Write the weights of all frames as safetensors, one stacked tensor for each parameter."""
    tensors = _state(history.frames) | {"epoch": torch.from_numpy(history.frame_epochs)}
    if history.trained_loss is not None:
        tensors[TRAINED_LOSS] = torch.tensor([history.trained_loss], dtype=torch.float32)
    _write(path, tensors, history.frames.activation)


def load_history(losses: Path, frames: Path) -> History:
    """Read a history from its two files; ValueError names the one that is wrong."""
    values = load_losses(losses)
    try:
        tensors, activation = _read(frames, epochs=len(values))
        final = tensors[TRAINED_LOSS].item() if TRAINED_LOSS in tensors else None
        return History(values, tensors["epoch"].numpy(), _weights(tensors, activation), final)
    except (ValueError, SafetensorError) as error:
        raise ValueError(f"{frames.name} is not a file of frames: {error}") from None


def save_weights(weights: Weights, path: Path) -> None:
    """Write all parameters as safetensors, named and shaped as a torch module's state."""
    _write(path, _state(weights), weights.activation)


def load_weights(path: Path) -> Weights:
    """Read parameters and activation; ValueError names the file and what is wrong with it."""
    check_size(path.name, path.stat().st_size, LARGEST_WEIGHTS)
    try:
        return _weights(*_read(path))
    except (ValueError, SafetensorError) as error:
        raise ValueError(f"{path.name} is not a file of weights: {error}") from None


def save_weight_table(weights: Weights, path: Path) -> None:
    """Write one row for each hidden neuron: neuron, input_weight, bias, output_weight."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["neuron", "input_weight", "bias", "output_weight"])
        columns = (weights.input_weight, weights.bias, weights.output_weight)
        for neuron, row in enumerate(torch.stack(columns, dim=1).tolist()):
            writer.writerow([neuron, *(f"{number:.9g}" for number in row)])


def _state(weights: Weights) -> dict[str, torch.Tensor]:
    parameters = zip(STATE_NAMES, weights.parameters(), strict=True)
    # safetensors refuses a tensor whose numbers do not lie one after the other.
    return {name: tensor.contiguous() for name, tensor in parameters}


def _weights(state: dict[str, torch.Tensor], activation: ActivationName) -> Weights:
    return Weights.from_parameters([state[name] for name in STATE_NAMES], activation)


def _write(path: Path, tensors: dict[str, torch.Tensor], activation: ActivationName) -> None:
    try:
        save_file(tensors, path, metadata={"activation": activation})
    except SafetensorError as error:  # not an OSError, though the disk is full
        raise OSError(f"{path} cannot be written: {error}") from error


def _read(path: Path, epochs: int | None = None) -> tuple[dict[str, torch.Tensor], ActivationName]:
    """Read a network, or the frames of so many epochs, after a check of the header."""
    # The file begins with the size of its header, which safetensors would read whole.
    with path.open("rb") as begin:
        header = int.from_bytes(begin.read(8), "little")
    if header > LARGEST_HEADER:
        raise ValueError(f"its header would have {header:,} bytes")
    with safe_open(path, framework="pt") as file:
        activation = (file.metadata() or {}).get("activation")
        names = STATE_NAMES if epochs is None else (*STATE_NAMES, "epoch")
        if epochs is not None and TRAINED_LOSS in set(file.keys()):
            names = (*names, TRAINED_LOSS)
        slices = {name: file.get_slice(name) for name in names}
        shapes = {name: tuple(each.get_shape()) for name, each in slices.items()}
        for name, each in slices.items():
            wanted = "I64" if name == "epoch" else "F32"
            if each.get_dtype() != wanted:
                raise ValueError(f"{name} is of type {each.get_dtype()}, not {wanted}")
        _check_shapes(shapes, epochs)
    # Compared one by one, so that the type of the result is ActivationName and not str.
    for known in get_args(ActivationName):
        if activation == known:
            return {name: _numbers(path, name, shape) for name, shape in shapes.items()}, known
    raise ValueError(f"its activation is unknown: {shown(repr(activation))}")


def _numbers(path: Path, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Read a tensor, a block of rows at a time."""
    # The file is opened for each block: pages that were read stay in memory until it is closed.
    # Blocks are copied: what safetensors reads is not aligned, and sums over it differ in the last
    # bit.
    tensor = torch.empty(shape, dtype=torch.int64 if name == "epoch" else torch.float32)
    rows = max(1, BLOCK // max(1, tensor[0].nbytes))
    for first in range(0, len(tensor), rows):
        with safe_open(path, framework="pt") as file:
            block = file.get_slice(name)[first : first + rows]
            if not np.isfinite(block.numpy()).all():
                raise ValueError("a weight is not finite")
            tensor[first : first + rows] = block
    return tensor


def _check_shapes(shapes: dict[str, tuple[int, ...]], epochs: int | None) -> None:
    frames = () if epochs is None else shapes["epoch"]
    hidden = shapes["hidden.bias"][-1:]  # a tuple still: () for a scalar
    wanted = ((*hidden, 1), hidden, (1, *hidden), (1,))
    if tuple(shapes[name] for name in STATE_NAMES) != tuple((*frames, *each) for each in wanted):
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"the shapes do not fit: {found}")
    if not 1 <= hidden[0] <= MOST_NEURONS:
        raise ValueError(f"it has {hidden[0]:,} neurons; from 1 to {MOST_NEURONS:,} are possible")
    if epochs is None:
        return
    final = shapes.get(TRAINED_LOSS)
    if final not in {None, (1,)}:
        raise ValueError(f"{TRAINED_LOSS} has the shape {final}, not (1,)")
    if len(frames) != 1 or not 1 <= frames[0] <= epochs + bool(final):
        raise ValueError(f"it has {math.prod(frames):,} frames, but {epochs:,} losses")
