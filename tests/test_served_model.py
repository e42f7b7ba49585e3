"""The logged model, loaded and behind a server: inputs that it accepts and refuses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from fitreel.tracking.delivery.model_files import save_model
from fitreel.training.files import save_weights
from fitreel.training.loop import Fit
from fitreel.training.weights import Weights
from tests.scoring import post, serving


@pytest.fixture(scope="module")
def weights(trained: Fit) -> Weights:
    return trained.network.weights()


@pytest.fixture(scope="module")
def directory(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a model as a run logs it."""
    place = tmp_path_factory.mktemp("saved")
    save_weights(weights, place / "weights.safetensors")
    save_model(place / "weights.safetensors", place / "model", Model("model"))
    moved = tmp_path_factory.mktemp("elsewhere") / "model"
    return (place / "model").rename(moved)


@pytest.fixture(scope="module")
def model(directory: Path) -> Any:
    return mlflow.pyfunc.load_model(str(directory))


NUMBERS: dict[str, Any] = {
    "whole numbers": [0, 1, 2],
    "numbers": [-0.5, 0.0, 2.25],
    "short integers": np.array([3, -4], dtype=np.int8),
    "integers that may be missing": pd.array([1, 2], dtype="Int64"),
    "numbers of any kind": np.array([1, 2.5], dtype=object),
    "none": [],
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_whole_numbers_are_numbers(model: Any, weights: Weights, kind: str) -> None:
    column = pd.Series(NUMBERS[kind])
    prediction = model.predict(pd.DataFrame({"x": column}))
    expected = weights.predict(torch.tensor([float(x) for x in column]))
    assert prediction.shape == (len(column),)
    assert prediction.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"x": [1.0, "two"]}, "x must be numbers"),
    "digits": ({"x": ["1", "2"]}, "x must be numbers"),
    "truth": ({"x": [True, False]}, "x must be numbers; got bool"),
    "lists": ({"x": [[1.0], [2.0]]}, "x must be numbers"),
    "null": ({"x": [0.0, None]}, "x is missing in row 1"),
    "infinite": ({"x": [0.0, 1.0, float("inf")]}, "x is too large in row 2"),
    "more than float32 holds": ({"x": [1e39]}, "x is too large in row 0"),
    "another column": ({"z": [1.0]}, "missing inputs ['x']"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_inputs_that_are_not_numbers_are_refused_with_a_reason(model: Any, kind: str) -> None:
    columns, reason = REFUSED[kind]
    with pytest.raises(MlflowException) as raised:
        model.predict(pd.DataFrame(columns))
    assert reason in raised.value.message
    assert raised.value.get_http_status_code() == 400


def test_many_rows_are_predicted_in_parts(
    model: Any, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = model.unwrap_python_model()
    monkeypatch.setitem(type(code).predict.__globals__, "MOST_NUMBERS", 100)
    x = torch.linspace(-1, 1, 333)
    prediction = model.predict(pd.DataFrame({"x": x.numpy()}))
    assert prediction.tolist() == pytest.approx(weights.predict(x).tolist(), rel=1e-5, abs=1e-6)


def test_the_model_contains_nothing_about_the_machine_that_saved_it(directory: Path) -> None:
    for file in directory.rglob("*.*"):
        if file.suffix != ".safetensors":
            assert str(Path(__file__).parents[1]) not in file.read_text(), file
    text = (directory / "MLmodel").read_text()
    assert "/tmp" not in text
    assert not [line for line in text.splitlines() if ": /" in line]


def test_the_input_example_can_be_predicted(directory: Path, model: Any) -> None:
    example = Model.load(str(directory)).load_input_example(str(directory))
    assert model.predict(example).shape == (3,)


@pytest.mark.filterwarnings("ignore")  # from pandas and other packages that MLflow uses
def test_mlflow_evaluates_the_model_as_a_regressor(directory: Path, tmp_path: Path) -> None:
    points = pd.DataFrame({"x": [0, 1, 2, 3], "y": [0.0, 1.0, 4.0, 9.0]}, index=[5, 6, 7, 9])
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    experiment_id = mlflow.create_experiment("e", str(tmp_path))  # do not set it for all tests
    try:
        with mlflow.start_run(experiment_id=experiment_id):
            found = mlflow.models.evaluate(
                str(directory), points, targets="y", model_type="regressor", evaluators="default"
            )
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    assert found.metrics["example_count"] == 4
    assert np.isfinite(found.metrics["mean_squared_error"])


@pytest.fixture(scope="module")
def address(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(directory, tmp_path_factory.mktemp("served") / "log") as address:
        yield address


def test_a_scoring_server_answers_in_json_or_with_the_reason(
    address: str, directory: Path, weights: Weights
) -> None:
    whole = '{"dataframe_split": {"columns": ["x"], "data": [[0], [1], [2]]}}'
    status, text = post(address, whole)
    assert status == 200
    expected = weights.predict(torch.arange(3.0)).tolist()
    assert json.loads(text)["predictions"] == pytest.approx(expected, rel=1e-5)
    assert post(address, '{"inputs": {"x": [0, 0.5]}}')[0] == 200
    assert post(address, '{"instances": [{"x": 1}, {"x": 0.5}]}')[0] == 200
    assert post(address, (directory / "serving_input_example.json").read_text())[0] == 200
    for body, reason in {
        '{"dataframe_split": {"columns": ["x"], "data": [[0.5], [null]]}}': "missing in row 1",
        '{"dataframe_records": [{"x": "two"}]}': "x must be numbers",
        '{"dataframe_records": [{"z": 1}]}': "missing inputs ['x']",
        '{"inputs": {"x": [1e39]}}': "too large in row 0",
    }.items():
        status, text = post(address, body)
        assert (status, reason in text) == (400, True), text
