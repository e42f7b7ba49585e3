"""The readers of files on arbitrary input: they return a result or raise a ValueError.

`FUZZ=torture pytest tests/test_fuzz.py` runs for minutes. Add what it finds to tests/corpus.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings, strategies as st

from fitreel.checks.text import check_name, check_uri, shown
from fitreel.data.dataset import Dataset
from fitreel.data.drawing import generate
from fitreel.data.files import load_dataset, save_dataset
from fitreel.settings import DataSettings, TrainingSettings, parse
from fitreel.training.files import load_history, load_weights, save_frames, save_weights
from fitreel.training.history import History
from fitreel.training.loop import fit
from fitreel.training.loss_file import load_losses, save_losses
from fitreel.training.weights import Weights

settings.register_profile(
    "quick",
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "torture", settings.get_profile("quick"), max_examples=20_000, derandomize=False
)
settings.load_profile(os.environ.get("FUZZ", "quick"))

SMALL = fit(generate(DataSettings(samples=5)), TrainingSettings(hidden=3, epochs=12))
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw a damaged file: bytes are replaced, removed, inserted or doubled; it may be cut."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 12)))
        content[start:end] = draw(
            st.binary(max_size=12)
            | st.sampled_from([b"", b"\n", b'"', b",", b"nan", b"1e400", b"[[[", b"-1", b"\xff"])
            | st.just(bytes(content[start:end]) * 2)
        )
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


def error_of(read: Callable[..., object], *inputs: object) -> str:
    """Return the error message of a reader, or "" if it reads the input."""
    try:
        read(*inputs)
    except ValueError as error:
        return str(error)
    return ""


def check_read_or_refused(load: Callable[..., object], *paths: Path) -> None:
    message = error_of(load, *paths)
    assert not message or any(path.name in message for path in paths)
    assert len(message) < 2000


def written(directory: Path, name: str, save: Callable[..., None], value: object) -> bytes:
    save(value, directory / name)
    return (directory / name).read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the intact files of a small training."""
    directory = tmp_path_factory.mktemp("whole")
    return {
        "dataset": written(directory, "a", save_dataset, generate(DataSettings(samples=5))),
        "losses": written(directory, "b", save_losses, SMALL.history.losses),
        "weights": written(directory, "c", save_weights, SMALL.network.weights()),
        "frames": written(directory, "d", save_frames, SMALL.history),
    }


tables = st.text(st.sampled_from("xyn,;\"'\r\n\t 0123456789.e+-#\ufeff\0é"), max_size=80)


@given(tables.map(str.encode) | st.binary(max_size=200))
@example(b"x,y\n1e39,0\n1,1\n")
def test_any_bytes_are_read_or_refused_as_a_dataset(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "points.csv").write_bytes(content)
    check_read_or_refused(load_dataset, tmp_path / "points.csv")


@given(tables.map(lambda rows: f"x,y\n0,1\n{rows}".encode()))
def test_any_rows_are_read_or_refused_as_a_dataset(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "points.csv").write_bytes(content)
    check_read_or_refused(load_dataset, tmp_path / "points.csv")


@given(tables.map(lambda rows: f"epoch,loss\n0,1\n{rows}".encode()) | st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_as_losses(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "history.csv").write_bytes(content)
    check_read_or_refused(load_losses, tmp_path / "history.csv")


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: _header(text)))
def test_any_bytes_are_read_or_refused_as_weights(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.safetensors").write_bytes(content)
    check_read_or_refused(load_weights, tmp_path / "weights.safetensors")


def _header(text: str) -> bytes:
    header = text.encode()
    return len(header).to_bytes(8, "little") + header


@given(st.data())
def test_damaged_files_are_read_or_refused(
    tmp_path: Path, whole: dict[str, bytes], data: st.DataObject
) -> None:
    losses, frames = tmp_path / "history.csv", tmp_path / "frames.safetensors"
    for name, load in (
        ("dataset", load_dataset),
        ("losses", load_losses),
        ("weights", load_weights),
    ):
        path = tmp_path / name
        path.write_bytes(data.draw(damaged(whole[name]), name))
        check_read_or_refused(load, path)
    losses.write_bytes(data.draw(st.just(whole["losses"]) | damaged(whole["losses"]), "losses"))
    frames.write_bytes(data.draw(damaged(whole["frames"]), "frames"))
    check_read_or_refused(load_history, losses, frames)


@given(st.lists(st.tuples(floats, floats), min_size=2, max_size=20, unique_by=lambda row: row[0]))
def test_a_saved_dataset_is_loaded_exactly(tmp_path: Path, rows: list[tuple[float, float]]) -> None:
    x, y = torch.tensor(rows).T.contiguous()
    save_dataset(Dataset(x, y), tmp_path / "points.csv")
    again = load_dataset(tmp_path / "points.csv")
    assert torch.equal(again.x, x)
    assert torch.equal(again.y, y)


@given(st.data(), st.integers(1, 5), st.integers(1, 6), st.integers(1, 4))
def test_a_saved_history_is_loaded_exactly(
    tmp_path: Path, data: st.DataObject, hidden: int, frames: int, every: int
) -> None:
    def numbers(*shape: int) -> torch.Tensor:
        count = math.prod(shape)
        values = data.draw(st.lists(floats, min_size=count, max_size=count))
        return torch.tensor(values, dtype=torch.float32).reshape(shape)

    weights = Weights(
        numbers(frames, hidden, 1),
        numbers(frames, hidden),
        numbers(frames, 1, hidden),
        numbers(frames, 1),
        "relu",
    )
    losses = numbers((frames - 1) * every + 1).to(torch.float64).numpy()
    history = History(losses, np.arange(0, len(losses), every), weights)
    save_losses(history.losses, tmp_path / "history.csv")
    save_frames(history, tmp_path / "frames.safetensors")
    again = load_history(tmp_path / "history.csv", tmp_path / "frames.safetensors")
    assert np.array_equal(again.losses, history.losses)
    assert np.array_equal(again.frame_epochs, history.frame_epochs)
    assert torch.equal(again.frames.bias, weights.bias)
    assert torch.equal(again.frames.output_bias, weights.output_bias)


@given(st.text(), st.sampled_from([int, float]))
def test_any_text_is_read_or_refused_as_a_number(text: str, kind: type) -> None:
    if message := error_of(parse, text, kind):
        assert len(message) < 500
    else:
        assert text.isascii()
        assert parse(text, kind) == kind(text) or "nan" in text.lower()


@given(st.text())
def test_any_text_shown_is_harmless(text: str) -> None:
    line = shown(text)
    assert shown(line, len(line)) == line
    assert "\n" not in line
    for check in (check_name, check_uri):
        message = error_of(check, text)
        assert len(message) < 500
        assert message or check(text) == text
