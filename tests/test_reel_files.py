"""The files of a reel are read as they were written, and refused if anything does not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fitreel.reel.files import load_reel, load_rows, save_reel, save_rows
from fitreel.reel.reel import Reel

KINDS = {
    "curve": (np.linspace(0, 1, 9)[:, None], np.linspace(0, 1, 9), ()),
    "field": (np.random.default_rng(0).random((9, 2)), np.linspace(0, 1, 9), ()),
    "agreement": (np.random.default_rng(0).random((9, 3)), np.linspace(0, 1, 9), ()),
    "regions": (np.random.default_rng(0).random((9, 2)), np.arange(9) % 3, ("a", "b", "c")),
    "confidence": (np.random.default_rng(0).random((9, 3)), np.arange(9) % 2, ("a", "b")),
}


def filmed(kind: str) -> Reel:
    x, y, classes = KINDS[kind]
    reel = Reel(x, y, classes=classes, every=1)

    def model(inputs: Any) -> Any:
        found = np.random.default_rng(1).random((len(inputs), len(classes) or 1))
        return found / found.sum(axis=1, keepdims=True) if classes else found

    for step in (0, 10, 20):
        reel.frame(step, 1 / (step + 1), model, metrics={"val": step} if step else None)
    return reel


@pytest.mark.parametrize("kind", KINDS)
def test_a_reel_is_read_as_it_was_written(tmp_path: Path, kind: str) -> None:
    reel = filmed(kind)
    save_rows(reel.dataset, reel.probes, tmp_path / "rows.safetensors")
    save_reel(reel, tmp_path / "reel.safetensors")
    again = load_reel(tmp_path / "reel.safetensors", *load_rows(tmp_path / "rows.safetensors"))
    assert again.dataset.features == reel.dataset.features
    assert again.dataset.classes == reel.dataset.classes
    assert torch.equal(again.dataset.inputs, reel.dataset.inputs)
    assert torch.equal(again.dataset.y, reel.dataset.y)
    assert torch.equal(again.probes.inputs, reel.probes.inputs)
    assert (again.probes.places, again.probes.grid) == (reel.probes.places, reel.probes.grid)
    assert list(again.curves) == ["loss", "val"]
    for name, curve in reel.curves.items():
        assert again.curves[name].steps.tolist() == curve.steps.tolist()
        assert again.curves[name].values.tolist() == curve.values.tolist()
    assert np.array_equal(again.recording().predictions, reel.recording().predictions)
    assert again.recording().epochs.tolist() == [0, 10, 20]
    assert again.recording().losses.tolist() == reel.recording().losses.tolist()


def test_a_reel_without_frames_is_read(tmp_path: Path) -> None:
    reel = Reel([0, 1], [0, 1])
    save_reel(reel, tmp_path / "reel.safetensors")
    assert not load_reel(tmp_path / "reel.safetensors", reel.dataset, reel.probes).frames


def changed(
    path: Path, tensors: dict[str, torch.Tensor], names: dict[str, str] | None = None
) -> None:
    """Write a file of tensors again with some of them replaced."""
    with safe_open(path, framework="pt") as file:
        kept = file.metadata()
    save_file(load_file(path) | tensors, path, names or kept)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"frame_steps": torch.tensor([0, 20, 10])}, "out of order"),
        ({"frame_steps": torch.tensor([0, 10])}, "not of shape"),
        ({"predictions": torch.zeros(3, 7)}, "not of shape"),
        ({"predictions": torch.full((3, 200), torch.nan)}, "not finite"),
        ({"frame_losses": torch.tensor([1.0, torch.nan, 1.0])}, "not finite"),
        ({"steps.0": torch.tensor([0, 0, 1])}, "the steps of loss do not rise"),
        ({"values.1": torch.tensor([1.0])}, "the steps of val do not rise"),
    ],
)
def test_a_reel_that_does_not_fit_is_refused(
    tmp_path: Path, tensors: dict[str, torch.Tensor], message: str
) -> None:
    reel, path = filmed("curve"), tmp_path / "reel.safetensors"
    save_reel(reel, path)
    changed(path, tensors)
    with pytest.raises(ValueError, match=f"reel.safetensors is not a reel: .*{message}"):
        load_reel(path, reel.dataset, reel.probes)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"probes": torch.zeros(7, 2)}, "its probes do not fit its rows"),
        ({"training": torch.full((9,), 9)}, "probes of rows that it lacks"),
        ({"grid": torch.tensor([2, 2])}, "its grid does not fit"),
        ({"x": torch.full((9, 2), torch.nan)}, "must be finite"),
        ({"y": torch.zeros(4)}, "as many x as y"),
        ({"places": torch.tensor([1, 2])}, "is not a file of rows"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    tmp_path: Path, tensors: dict[str, torch.Tensor], message: str
) -> None:
    reel, path = filmed("field"), tmp_path / "rows.safetensors"
    save_rows(reel.dataset, reel.probes, path)
    changed(path, tensors)
    with pytest.raises(ValueError, match=message):
        load_rows(path)


@pytest.mark.parametrize("text", ["", "[]", '{"curves": 5}', "{}"])
def test_strange_names_are_refused(tmp_path: Path, text: str) -> None:
    reel, path = filmed("curve"), tmp_path / "reel.safetensors"
    save_reel(reel, path)
    changed(path, {}, {"names": text})
    with pytest.raises(ValueError, match="is not a reel"):
        load_reel(path, reel.dataset, reel.probes)


def test_every_cut_of_the_files_is_refused(tmp_path: Path) -> None:
    reel = filmed("curve")
    save_rows(reel.dataset, reel.probes, tmp_path / "rows.safetensors")
    content = (tmp_path / "rows.safetensors").read_bytes()
    for end in range(1, len(content), 97):
        (tmp_path / "cut").write_bytes(content[:end])
        with pytest.raises(ValueError, match="cut is not a file of rows"):
            load_rows(tmp_path / "cut")
