"""The files of a network's weights: one network, or the frames of a training."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import get_args

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fitreel.checks.files import check_size
from fitreel.checks.text import shown
from fitreel.data.dataset import Dataset
from fitreel.data.decoding import decode
from fitreel.data.scaling import Scaling
from fitreel.data.schema import Schema
from fitreel.settings import MOST_CLASSES, MOST_FEATURES, MOST_NEURONS, ActivationName
from fitreel.training.history import History
from fitreel.training.loss_file import load_losses
from fitreel.training.shape import NetworkShape
from fitreel.training.weights import Weights

POINTS_HEADER = 100_000  # without a schema ours are below 1,000
LARGEST_HEADER = 1_000_000  # bytes before the numbers of safetensors; with a schema they are most
EXAMPLES = 3  # rows
BLOCK = 2**23  # bytes of numbers that are read at once
LARGEST_SHAPE = NetworkShape(MOST_NEURONS, MOST_FEATURES, MOST_CLASSES)
LARGEST_WEIGHTS = LARGEST_HEADER + 4 * LARGEST_SHAPE.size
POINTS_WEIGHTS = POINTS_HEADER + 4 * NetworkShape(MOST_NEURONS).size

# The names under which a torch module of the same structure keeps its weights.
STATE_NAMES = ("hidden.weight", "hidden.bias", "output.weight", "output.bias")
SCHEMA, EXAMPLE = "schema", "example"
# Those of a network that was trained on scaled rows, too.
SCALING_NAMES = tuple(f"scaling.{each.name}" for each in fields(Scaling))
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


def save_weights(weights: Weights, path: Path, dataset: Dataset | None = None) -> None:
    """Write all parameters as safetensors, named and shaped as a torch module's state.

    If it was trained on a table, its schema says what the inputs and outputs are, and its first
    rows are examples of inputs.
    """
    described = {}
    if dataset and dataset.schema:
        schema, rows = dataset.schema, dataset.inputs[:EXAMPLES].numpy()
        described = {SCHEMA: schema.to_json(), EXAMPLE: decode(schema, rows)}
    texts = {name: json.dumps(found) for name, found in described.items()}
    _write(path, _state(weights), weights.activation, texts)


def load_weights(path: Path) -> Weights:
    """Read parameters and activation; ValueError names the file and what is wrong with it."""
    check_size(path.name, path.stat().st_size, LARGEST_WEIGHTS)
    try:
        return _weights(*_read(path))
    except (ValueError, SafetensorError) as error:
        raise ValueError(f"{path.name} is not a file of weights: {error}") from None


def load_schema(path: Path) -> Schema | None:
    """Read the schema in a file of weights, after ``load_weights``; None if it has none."""
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get(SCHEMA)
    try:
        return None if text is None else Schema.from_json(json.loads(text))
    except ValueError as error:
        raise ValueError(f"{path.name} has no schema that can be read: {error}") from None


def save_weight_table(weights: Weights, path: Path, features: Sequence[str] = ()) -> None:
    """Write one row for each hidden neuron: neuron, its input weights, bias, its output weights.

    With one x and one y the columns are neuron, input_weight, bias, output_weight; the names of
    several ``features`` follow "input_weight ", the places of several outputs "output_weight ".
    """
    inputs = [f"input_weight {name}" for name in features]
    outputs = [f"output_weight {place}" for place in range(weights.shape.outputs)]
    names = (
        *(inputs if len(inputs) > 1 else ["input_weight"]),
        "bias",
        *(outputs if len(outputs) > 1 else ["output_weight"]),
    )
    columns = (weights.input_weight, weights.bias.unsqueeze(1), weights.output_weight.T)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["neuron", *names])
        for neuron, row in enumerate(torch.cat(columns, dim=1).tolist()):
            writer.writerow([neuron, *(f"{number:.9g}" for number in row)])


def _state(weights: Weights) -> dict[str, torch.Tensor]:
    tensors = dict(zip(STATE_NAMES, weights.parameters(), strict=True))
    if weights.scaling:
        scaling = (getattr(weights.scaling, each.name) for each in fields(Scaling))
        tensors |= zip(SCALING_NAMES, scaling, strict=True)
    # safetensors refuses a tensor whose numbers do not lie one after the other.
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def _weights(state: dict[str, torch.Tensor], activation: ActivationName) -> Weights:
    scaling = None
    if SCALING_NAMES[0] in state:
        scaling = Scaling(*(state[name] for name in SCALING_NAMES))
    return Weights.from_parameters([state[name] for name in STATE_NAMES], activation, scaling)


def _write(
    path: Path,
    tensors: dict[str, torch.Tensor],
    activation: ActivationName,
    described: Mapping[str, str] = MappingProxyType({}),
) -> None:
    try:
        save_file(tensors, path, metadata={"activation": activation, **described})
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
        optional = SCALING_NAMES if epochs is None else (*SCALING_NAMES, TRAINED_LOSS)
        found = set(file.keys())
        names = (*names, *(name for name in optional if name in found))
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
    if not shape:  # safetensors has no slices of a single number
        with safe_open(path, framework="pt") as file:
            tensor.copy_(file.get_tensor(name))
        return _finite(tensor)
    rows = max(1, BLOCK // max(1, tensor[0].nbytes))
    for first in range(0, len(tensor), rows):
        with safe_open(path, framework="pt") as file:
            block = file.get_slice(name)[first : first + rows]
            tensor[first : first + rows] = _finite(block)
    return tensor


def _finite(numbers: torch.Tensor) -> torch.Tensor:
    if not np.isfinite(numbers.numpy()).all():
        raise ValueError("a weight is not finite")
    return numbers


def _check_shapes(shapes: dict[str, tuple[int, ...]], epochs: int | None) -> None:
    frames = () if epochs is None else shapes["epoch"]
    # Tuples still: () for a scalar.
    hidden, features, outputs = (
        shapes[name][-1:] for name in ("hidden.bias", "hidden.weight", "output.bias")
    )
    network = ((*hidden, *features), hidden, (*outputs, *hidden), outputs)
    wanted = {name: (*frames, *shape) for name, shape in zip(STATE_NAMES, network, strict=True)}
    if shapes.keys() & set(SCALING_NAMES):
        wanted |= zip(SCALING_NAMES, (features, features, (), ()), strict=True)
    if any(shapes.get(name) != shape for name, shape in wanted.items()) or not hidden:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"the shapes do not fit: {found}")
    if not features[0] <= MOST_FEATURES or not outputs[0] <= MOST_CLASSES:
        raise ValueError(f"it has {features[0]:,} features and {outputs[0]:,} outputs")
    if not 1 <= hidden[0] <= MOST_NEURONS:
        raise ValueError(f"it has {hidden[0]:,} neurons; from 1 to {MOST_NEURONS:,} are possible")
    if epochs is None:
        return
    final = shapes.get(TRAINED_LOSS)
    if final not in {None, (1,)}:
        raise ValueError(f"{TRAINED_LOSS} has the shape {final}, not (1,)")
    if len(frames) != 1 or not 1 <= frames[0] <= epochs + bool(final):
        raise ValueError(f"it has {math.prod(frames):,} frames, but {epochs:,} losses")
