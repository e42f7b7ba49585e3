import csv
import json
import math
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fitreel.settings import TrainingSettings
from fitreel.training.files import (
    load_history,
    load_weights,
    save_frames,
    save_weight_table,
    save_weights,
)
from fitreel.training.history import History, first_difference
from fitreel.training.loop import Fit
from fitreel.training.loss_file import load_losses, save_losses
from fitreel.training.network import Network
from tests.conftest import ROOT


def test_the_first_difference_is_found_bit_for_bit() -> None:
    losses = np.array([0.5, 0.25, 0.125])
    assert first_difference(losses, losses.copy()) is None
    assert first_difference([], []) is None
    assert first_difference(losses, [0.5, np.nextafter(0.25, 1), 0.0]) == 1
    assert first_difference([0.0], [-0.0]) == 0
    assert first_difference([np.nan], [np.nan]) is None
    assert first_difference(losses, losses[:2]) == 2
    assert first_difference([], losses) == 0


def test_a_saved_history_is_loaded_exactly(tmp_path: Path, trained: Fit) -> None:
    losses, frames = tmp_path / "history.csv", tmp_path / "frames.safetensors"
    save_losses(trained.history.losses, losses)
    save_frames(trained.history, frames)
    again = load_history(losses, frames)
    assert np.array_equal(again.losses, trained.history.losses)
    assert np.array_equal(again.frame_epochs, trained.history.frame_epochs)
    assert again.trained_loss == trained.history.trained_loss
    for name in ("input_weight", "bias", "output_weight", "output_bias"):
        assert torch.equal(getattr(again.frames, name), getattr(trained.history.frames, name))
    assert again.frames.activation == "relu"


@pytest.mark.parametrize("hidden", [1, 7, 20])
def test_loaded_numbers_are_aligned_in_memory(tmp_path: Path, hidden: int) -> None:
    """Numbers in a file are not aligned; sums over such numbers differ in the last bit."""
    save_weights(Network(TrainingSettings(hidden=hidden)).weights(), tmp_path / "weights")
    weights = load_weights(tmp_path / "weights")
    for part in (weights.input_weight, weights.bias, weights.output_weight, weights.output_bias):
        assert part.data_ptr() % 64 == 0


def test_any_saved_loss_is_loaded_exactly(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).integers(1, 0x7F7FFFFF, 10_000, dtype=np.int32)
    losses = bits.view(np.float32).astype(np.float64)  # all magnitudes of float32
    save_losses(losses, tmp_path / "history.csv")
    assert np.array_equal(load_losses(tmp_path / "history.csv"), losses)


def test_plain_pytorch_loads_the_weights(tmp_path: Path, trained: Fit) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(trained.network.weights(), path)

    weights = load_file(path)
    x = torch.linspace(-1, 1, 9).unsqueeze(1)
    hidden = torch.relu(x @ weights["hidden.weight"].T + weights["hidden.bias"])
    y = hidden @ weights["output.weight"].T + weights["output.bias"]

    assert torch.allclose(y, trained.network(x), atol=1e-6)
    assert torch.equal(load_weights(path).bias, trained.network.hidden.bias)


def test_the_table_of_weights_has_a_row_per_neuron(tmp_path: Path, trained: Fit) -> None:
    weights = trained.network.weights()
    save_weight_table(weights, tmp_path / "weights.csv")
    rows = list(csv.DictReader((tmp_path / "weights.csv").read_text().splitlines()))
    assert list(rows[0]) == ["neuron", "input_weight", "bias", "output_weight"]
    assert [int(row["neuron"]) for row in rows] == list(range(20))
    assert [np.float32(row["bias"]) for row in rows] == weights.bias.tolist()


@pytest.mark.parametrize(
    "text",
    ["epoch,loss\n0,1\n0,2\n", "epoch,loss\n1,1\n", "epoch,loss\n0,many\n", "0,1,2\n0,1,2\n"],
)
def test_a_file_that_is_not_a_history_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(ValueError, match=r"history.csv is not a history"):
        load_losses(tmp_path / "history.csv")


def test_an_error_names_the_invalid_one_of_two_files(tmp_path: Path, trained: Fit) -> None:
    losses, frames = tmp_path / "history.csv", tmp_path / "frames.safetensors"
    save_frames(trained.history, frames)
    losses.write_text("epoch,loss\n1,1\n")
    with pytest.raises(ValueError, match=r"^history.csv is not a history"):
        load_history(losses, frames)


def test_a_history_of_an_older_run_has_no_final_frame(tmp_path: Path, trained: Fit) -> None:
    """fitreel 0.3 wrote the frames before each update alone, and no final loss."""
    history, frames = trained.history, trained.history.frames
    losses, path = tmp_path / "history.csv", tmp_path / "frames.safetensors"
    save_losses(history.losses, losses)
    old = History(history.losses, history.frame_epochs[:-1], frames[torch.arange(12)])
    save_frames(old, path)
    assert "trained_loss" not in load_file(path)
    again = load_history(losses, path)
    assert again.trained_loss is None
    assert again.frame_epochs.tolist() == list(range(0, 60, 5))
    assert np.array_equal(again.frame_losses, history.losses[::5])


def test_the_trained_loss_must_fit_the_frames(tmp_path: Path, trained: Fit) -> None:
    losses, path = tmp_path / "history.csv", tmp_path / "frames.safetensors"
    save_losses(trained.history.losses, losses)
    save_frames(trained.history, path)
    tensors = load_file(path)
    for final, message in (
        (None, "the last frame shows epoch 60, but the losses end before epoch 60"),
        (torch.ones(2), r"trained_loss has the shape \(2,\), not \(1,\)"),
        (torch.ones(1, dtype=torch.float64), "trained_loss is of type F64, not F32"),
        (torch.tensor([math.nan]), "is not finite"),
    ):
        changed = {name: each for name, each in tensors.items() if name != "trained_loss"}
        changed |= {} if final is None else {"trained_loss": final}
        save_file(changed, path, metadata={"activation": "relu"})
        with pytest.raises(ValueError, match=message):
            load_history(losses, path)


def test_frames_must_fit_the_losses(trained: Fit) -> None:
    history = trained.history
    with pytest.raises(ValueError, match="the losses end before epoch 60"):
        History(history.losses, history.frame_epochs, history.frames)
    with pytest.raises(ValueError, match="shows epoch 60, but the losses end before epoch 55"):
        replace(history, losses=history.losses[:55])
    with pytest.raises(ValueError, match="must rise"):
        replace(history, frame_epochs=history.frame_epochs[::-1])
    with pytest.raises(ValueError, match="12 frame epochs do not fit 13 frames"):
        replace(history, frame_epochs=history.frame_epochs[1:])


def test_an_error_names_a_file_without_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(pickle.dumps({"hidden.weight": 1}))
    with pytest.raises(ValueError, match=r"weights.safetensors is not a file of weights"):
        load_weights(path)
    save_file({"hidden.weight": torch.ones(1, 1)}, path)
    with pytest.raises(ValueError, match=r"weights.safetensors is not a file of weights"):
        load_weights(path)


def test_weights_of_other_shapes_or_activations_are_refused(tmp_path: Path, trained: Fit) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(trained.network.weights(), path)
    tensors = load_file(path)
    save_file(tensors, path, metadata={"activation": "swish"})
    with pytest.raises(ValueError, match="its activation is unknown: 'swish'"):
        load_weights(path)
    save_file(tensors | {"hidden.bias": torch.ones(3)}, path, metadata={"activation": "relu"})
    with pytest.raises(ValueError, match="do not fit"):
        load_weights(path)


def sparse(path: Path, frames: int, hidden: int) -> int:
    """Write a sparse file of frames with zeros; return its size in bytes."""
    shapes = {
        "epoch": [frames],
        "hidden.weight": [frames, hidden, 1],
        "hidden.bias": [frames, hidden],
        "output.weight": [frames, 1, hidden],
        "output.bias": [frames, 1],
    }
    header: dict[str, object] = {"__metadata__": {"activation": "relu"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + math.prod(shape) * (8 if name == "epoch" else 4)
        kind = "I64" if name == "epoch" else "F32"
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        begin = file.tell()
        file.write(np.arange(frames).tobytes())
        file.truncate(begin + end)
    return begin + end


def test_frames_take_no_more_memory_than_their_file(tmp_path: Path) -> None:
    """An earlier version needed 2.6 times as much, with two copies of all weights."""
    losses, frames = tmp_path / "history.csv", tmp_path / "frames.safetensors"
    save_losses(np.ones(20_000), losses)
    size = sparse(frames, 20_000, 1000)
    code = f"""
import resource
from pathlib import Path
from fitreel.training.files import load_history
load_history(Path({str(losses)!r}), Path({str(losses.with_name("few"))!r}))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_history(Path({str(losses)!r}), Path({str(frames)!r}))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    sparse(losses.with_name("few"), 10, 1000)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 1024 * int(done.stdout) < 1.3 * size


def test_a_number_that_is_not_finite_is_found_in_any_block(
    tmp_path: Path, trained: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fitreel.training.files.BLOCK", 500)  # bytes: a few frames, then one
    losses, path = tmp_path / "history.csv", tmp_path / "frames.safetensors"
    save_losses(trained.history.losses, losses)
    save_frames(trained.history, path)
    again = load_history(losses, path)
    assert torch.equal(again.frames.bias, trained.history.frames.bias)
    tensors = load_file(path)
    for name in ("hidden.weight", "hidden.bias", "output.weight", "output.bias"):
        for place in (0, 5, -1):
            wrong = {key: tensor.clone() for key, tensor in tensors.items()}
            wrong[name].view(-1)[place] = math.nan
            save_file(wrong, path, metadata={"activation": "relu"})
            with pytest.raises(ValueError, match="a weight is not finite"):
                load_history(losses, path)
