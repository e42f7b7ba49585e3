"""export: another runtime predicts from the written file what fitreel predicts."""

import json
import resource
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import fitreel
from fitreel.data.dataset import Dataset
from fitreel.settings import ActivationName
from fitreel.training import Predictor, Weights, write_onnx
from fitreel.training.predictor import POINTS
from tests import processes
from tests.houses import houses, network

CLASSES = ("no", "=yes", '<b>"')


def written(weights: Weights, dataset: Dataset, path: Path) -> Path:
    write_onnx(Predictor(weights, dataset.schema or POINTS), path)
    return path


def opened(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def answer(path: Path, rows: torch.Tensor) -> dict[str, NDArray[np.float32]]:
    """Return the outputs that onnxruntime computes, by name."""
    session = opened(path)
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, {"features": rows.numpy()}), strict=True))


@pytest.mark.needs("onnx")
@pytest.mark.parametrize("classes", [(), CLASSES[:2], CLASSES], ids=lambda names: str(len(names)))
@pytest.mark.parametrize("activation", get_args(ActivationName))
def test_onnxruntime_predicts_the_same(
    activation: ActivationName, classes: tuple[str, ...], tmp_path: Path
) -> None:
    dataset = houses(classes)
    assert dataset.scaling
    weights = network(dataset, hidden=50, activation=activation)
    found = answer(written(weights, dataset, tmp_path / "n.onnx"), dataset.inputs)
    expected = weights.predict(dataset.inputs).numpy()
    assert found.keys() == {"probabilities" if classes else "prediction"}
    (numbers,) = found.values()
    assert (numbers.shape, numbers.dtype) == (expected.shape, expected.dtype)
    unit = dataset.scaling.target_deviation.item()
    np.testing.assert_allclose(numbers / unit, expected / unit, rtol=1e-5, atol=1e-5)


@pytest.mark.needs("onnx")
@pytest.mark.parametrize("activation", get_args(ActivationName))
def test_a_network_of_points_has_no_scaling(activation: ActivationName, tmp_path: Path) -> None:
    dataset = fitreel.generate()
    weights = fitreel.fit(dataset, epochs=30, activation=activation).network.weights()
    path = written(weights, dataset, tmp_path / "n.onnx")
    for count in (1, 200):
        x = torch.linspace(-3, 3, count)
        numbers = answer(path, x.unsqueeze(1))["prediction"]
        np.testing.assert_allclose(numbers, weights.predict(x).numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.needs("onnx")
def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    dataset = houses(CLASSES)
    session = opened(written(network(dataset), dataset, tmp_path / "n.onnx"))
    known = session.get_modelmeta().custom_metadata_map
    assert json.loads(known["features"]) == list(dataset.features)
    assert json.loads(known["classes"]) == list(CLASSES)
    assert known["target"] == "price"
    assert known["fitreel"] == fitreel.__version__
    (rows,) = session.get_inputs()
    assert (rows.name, rows.type, rows.shape) == ("features", "tensor(float)", ["rows", 5])


@pytest.mark.needs("onnx")
def test_a_file_that_does_not_fit_on_the_disk_leaves_the_old_one(tmp_path: Path) -> None:
    dataset, path = houses(), tmp_path / "n.onnx"
    path.write_text("before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            written(network(dataset), dataset, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "before"
    assert [*tmp_path.iterdir()] == [path]
    assert opened(written(network(dataset), dataset, path))


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    dataset = houses()
    with pytest.raises(ModuleNotFoundError, match=r"needs onnx: pip install 'fitreel\[onnx\]'"):
        written(network(dataset), dataset, tmp_path / "n.onnx")
    assert not [*tmp_path.iterdir()]


@pytest.mark.needs("onnx")
def test_the_command_writes_what_predicts_like_the_run(tmp_path: Path) -> None:
    sizes = np.arange(1, 60)
    towns = np.where(sizes % 3 == 0, "Rome", "Ulm")
    rows = zip(sizes, towns, 3 * sizes + 0.5, strict=True)
    lines = "".join(f"{size},{town},{price}\n" for size, town, price in rows)
    (tmp_path / "t.csv").write_text(f"size,town,price\n{lines}")

    def run(*words: str) -> str:
        spool = {"FITREEL_SPOOL": str(tmp_path / "spool")}
        code, output, errors = processes.run(*words, directory=tmp_path, **spool)
        assert code == 0, errors
        return output

    run_id = run("generate", "--data", "t.csv", "--target", "price").strip()
    run("train", "--run", run_id, "--epochs", "5")
    assert run("export", "latest", "--format", "onnx") == ""
    (tmp_path / "again.onnx").write_text("before")
    found = json.loads(run("export", run_id, "--out", "again.onnx", "--json"))
    assert found == {"run_id": run_id, "out": str(tmp_path / "again.onnx")}
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "network.onnx").read_bytes()

    known = opened(tmp_path / "network.onnx").get_modelmeta().custom_metadata_map
    columns = {"size": sizes, "town=Rome": towns == "Rome", "town=Ulm": towns == "Ulm"}
    features = [columns[name] for name in json.loads(known["features"])]
    inputs = torch.tensor(np.stack(features, axis=1), dtype=torch.float32)
    numbers = answer(tmp_path / "network.onnx", inputs)["prediction"]
    printed = run("predict", "--run", run_id, "--data", "t.csv").splitlines()[1:]
    expected = [float(line.rpartition(",")[2]) for line in printed]
    np.testing.assert_allclose(numbers, expected, rtol=1e-5, atol=1e-4)  # they reach 180


def test_what_the_command_refuses(tmp_path: Path) -> None:
    for words, reason in {
        ("latest", "--format", "pmml"): "'pmml' is not onnx, the only format",
        ("none",): "no tracking store here",
    }.items():
        code, _, errors = processes.run("export", *words, directory=tmp_path)
        assert (code, reason in errors, errors.count("\n")) == (2, True, 1), errors
