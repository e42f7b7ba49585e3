"""The files of a reel: its rows and probes, which stay, and its losses and frames."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fitreel.checks.files import check_size
from fitreel.data.dataset import Dataset
from fitreel.reel.listener import Frame
from fitreel.reel.probes import Probes
from fitreel.reel.reel import Reel

LARGEST_ROWS = 2_000_000_000  # bytes
LARGEST_REEL = 2_000_000_000
MOST_TEXT = 1_000_000  # letters of all names together


def save_rows(dataset: Dataset, probes: Probes, path: Path) -> None:
    """Write the rows and the probes of a film as safetensors."""
    names = {"features": dataset.features, "target": dataset.target, "classes": dataset.classes}
    tensors = {
        "x": dataset.inputs.contiguous(),
        "y": dataset.y,
        "probes": probes.inputs.contiguous(),
        "training": torch.from_numpy(probes.training),
        "grid": torch.tensor(probes.grid or (0, 0)),
        "places": torch.tensor([probes.places]),
    }
    save_file(tensors, path, {"names": json.dumps(names)})


def load_rows(path: Path) -> tuple[Dataset, Probes]:
    """Read the rows and the probes of a film; ValueError names the file and what is wrong."""
    check_size(path.name, path.stat().st_size, LARGEST_ROWS)
    try:
        tensors, names = _read(path)
        x, y = tensors["x"], tensors["y"]
        classes = [str(name) for name in names["classes"]]
        features = [str(name) for name in names["features"]]
        dataset = Dataset(x, y, features=features, target=str(names["target"]), classes=classes)
        (places,), grid = tensors["places"].tolist(), tensors["grid"].tolist()
        inputs, training = tensors["probes"], tensors["training"].numpy()
        count = places + len(training)
        if inputs.shape != (count, x.shape[1]) or not 0 <= places <= count:
            raise ValueError("its probes do not fit its rows")
        if len(training) and not 0 <= training.min() <= training.max() < len(x):
            raise ValueError("it has probes of rows that it lacks")
        if any(grid) and (min(grid) < 2 or grid[0] * grid[1] != places):
            raise ValueError("its grid does not fit its probes")
        none = np.zeros(0, np.int64)
        probes = Probes(inputs, places, training, none, tuple(grid) if any(grid) else None)
        return dataset, probes
    except (ValueError, TypeError, KeyError, SafetensorError) as error:
        raise ValueError(f"{path.name} is not a file of rows: {error}") from None


def save_reel(reel: Reel, path: Path) -> None:
    """Write the losses, the other metrics and the frames of a reel as safetensors."""
    names = list(reel.curves)
    tensors = {}
    for place, curve in enumerate(reel.curves.values()):
        tensors[f"steps.{place}"] = torch.from_numpy(curve.steps)
        tensors[f"values.{place}"] = torch.from_numpy(curve.values)
    if reel.frames:
        frames = reel.recording()
        tensors["frame_steps"] = torch.from_numpy(frames.epochs)
        tensors["frame_losses"] = torch.from_numpy(frames.losses)
        tensors["predictions"] = torch.from_numpy(frames.predictions)
    save_file(tensors, path, {"names": json.dumps({"curves": names})})


def load_reel(path: Path, dataset: Dataset, probes: Probes) -> Reel:
    """Read a reel on these rows and probes; ValueError names the file and what is wrong."""
    check_size(path.name, path.stat().st_size, LARGEST_REEL)
    try:
        tensors, names = _read(path)
        reel = Reel.of(dataset, probes)
        for place, name in enumerate(names["curves"]):
            steps, values = tensors[f"steps.{place}"], tensors[f"values.{place}"]
            if steps.shape != values.shape or steps.ndim != 1 or (steps.diff() <= 0).any():
                raise ValueError(f"the steps of {name} do not rise")
            reel.extend(str(name), steps.numpy(), values.double().numpy())
        if "predictions" in tensors:
            _add_frames(reel, tensors)
        return reel
    except (ValueError, TypeError, KeyError, SafetensorError) as error:
        raise ValueError(f"{path.name} is not a reel: {error}") from None


def _add_frames(reel: Reel, tensors: Mapping[str, torch.Tensor]) -> None:
    steps, losses = tensors["frame_steps"], tensors["frame_losses"]
    predictions = tensors["predictions"].float()
    wanted = reel.shape_of_frame
    if predictions.shape[1:] != wanted or not len(steps) == len(losses) == len(predictions):
        raise ValueError(f"its frames are not of shape {wanted}")
    is_finite = torch.isfinite(losses).all() and torch.isfinite(predictions).all()
    if (steps.diff() <= 0).any() or not is_finite:
        raise ValueError("its frames are out of order, or not finite")
    for step, loss, frame in zip(steps.tolist(), losses.tolist(), predictions, strict=True):
        reel.add(Frame(step, loss, frame.numpy()))


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, list[str]]]:
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get("names", "")
        if len(text) > MOST_TEXT:
            raise ValueError("its names are too long")
        names = json.loads(text)
        if not isinstance(names, dict):
            raise ValueError("it has no names")
        return {name: file.get_tensor(name) for name in file.keys()}, names  # noqa: SIM118
