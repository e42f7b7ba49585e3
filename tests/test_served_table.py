"""The logged model of a table, loaded and behind a server."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import PythonModelContext

from fitreel.data.dataset import Dataset
from fitreel.data.decoding import decode
from fitreel.data.scaling import Scaling
from fitreel.data.schema import Column, Schema
from fitreel.settings import ActivationName
from fitreel.tracking.delivery.model_files import save_model
from fitreel.tracking.delivery.served_table import ServedTable
from fitreel.training.files import save_weights
from fitreel.training.weights import Weights
from tests.houses import houses, network
from tests.scoring import post, serving

CLASSES = ("no", "=yes", "<b>")


def saved(weights: Weights, dataset: Dataset, place: Path) -> Path:
    """Write a model as a run logs it; return its folder."""
    place.mkdir(parents=True)
    save_weights(weights, place / "weights.safetensors", dataset)
    save_model(place / "weights.safetensors", place / "model", Model("model"))
    return place / "model"


@pytest.fixture(scope="module", params=[(), CLASSES], ids=["numbers", "classes"])
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return houses(request.param)


@pytest.fixture(scope="module")
def directory(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(network(dataset), dataset, tmp_path_factory.mktemp("saved") / "here")


@pytest.fixture(scope="module")
def model(directory: Path) -> Any:
    return mlflow.pyfunc.load_model(str(directory))


def rows_of(dataset: Dataset) -> pd.DataFrame:
    assert dataset.schema
    return pd.DataFrame(decode(dataset.schema, dataset.inputs.numpy()))


def numbers_of(answer: Any) -> list[Any]:
    """Return predicted numbers, or the probabilities of classes, of an answer in JSON."""
    rows = [list(row.values()) for row in answer]
    return [row[0] if len(row) == 1 else row[1:] for row in rows]


def test_rows_of_the_table_give_what_the_network_predicts(model: Any, dataset: Dataset) -> None:
    found = model.predict(rows_of(dataset))
    expected = network(dataset).predict(dataset.inputs)
    if not dataset.classes:
        assert found.name == "prediction"
        assert found.tolist() == expected.tolist()
        return
    assert list(found) == ["prediction", *(f"probability {each}" for each in CLASSES)]
    assert found.iloc[:, 1:].to_numpy().tolist() == expected.tolist()
    chosen = [CLASSES[place] for place in expected.argmax(dim=1)]
    assert found["prediction"].tolist() == chosen


SHAPES = [(1, 1, 1), (2, 50, 1), (20, 50, 1), (200, 7, 1), (5, 1000, 1), (3, 9, 2), (64, 100, 10)]


@pytest.mark.parametrize("activation", get_args(ActivationName))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_numpy_and_torch_predict_the_same_bits(
    shape: tuple[int, int, int], activation: ActivationName, tmp_path: Path
) -> None:
    features, hidden, outputs = shape
    generator = torch.Generator().manual_seed(features)
    inputs = 50 + 9 * torch.randn(500, features, generator=generator)
    targets = 3 + 0.01 * torch.randn(500, generator=generator)
    classes = [str(place) for place in range(outputs)] if outputs > 1 else []
    y = torch.arange(500) % outputs if classes else targets
    columns = tuple(Column(f"c{place}", "number") for place in range(features))
    dataset = Dataset(
        inputs,
        y,
        features=[each.name for each in columns],
        classes=classes,
        scaling=Scaling.of(inputs, y),
        schema=Schema(columns, "y", "regression", tuple(classes)),
    )
    weights = network(dataset, hidden, activation)
    save_weights(weights, tmp_path / "weights", dataset)
    context = PythonModelContext({"weights": str(tmp_path / "weights")}, {})
    model = ServedTable()
    model.load_context(context)
    table = pd.DataFrame(dataset.inputs.numpy(), columns=[each.name for each in columns])
    found = model.predict(context, table)
    numbers = (found.iloc[:, 1:] if classes else found).to_numpy(np.float32)
    expected = weights.predict(dataset.inputs).numpy()
    assert numbers.tobytes() == expected.tobytes()
    # Row by row a processor sums in another order.
    single = model.predict(context, table[:1])
    assert (single.iloc[0, 1:] if classes else single.iloc[0]).tolist() == expected[0].tolist()


GOOD = {"size": 100, "new": True, "town": "Rome"}
SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a missing value that is filled": ({"new": None}, {"new": False}),
    "a missing text": ({"town": None}, {"town": "Ulm"}),
    "a blank text": ({"town": "  "}, {"town": "Ulm"}),
    "a text that no training row had": ({"town": "Oslo"}, {"town": "other"}),
    "spaces around a text": ({"town": " Rome "}, {"town": "Rome"}),
    "0 for false": ({"new": 0}, {"new": False}),
    "decimals": ({"size": 100.0}, {"size": 100}),
    "a column that it does not know": ({"z": 1}, {}),
}


@pytest.mark.parametrize("kind", SAME)
def test_inputs_that_mean_the_same(model: Any, kind: str) -> None:
    one, other = (pd.DataFrame([GOOD, GOOD | changes]) for changes in SAME[kind])
    assert model.predict(one).equals(model.predict(other))
    if SAME[kind][1].items() - GOOD.items():
        assert not model.predict(other).equals(model.predict(pd.DataFrame([GOOD, GOOD])))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"size": "two"}, "column 'size' must be a finite number in row 1"),
    "digits": ({"size": "2"}, "column 'size' must be a finite number in row 1"),
    "truth": ({"size": True}, "column 'size' must be a finite number in row 1"),
    "a list": ({"size": [1]}, "column 'size' must be a finite number in row 1"),
    "null": ({"size": None}, "column 'size' has no value in row 1"),
    "infinite": ({"size": float("inf")}, "column 'size' must be a finite number in row 1"),
    "more than float32 holds": ({"size": 1e39}, "column 'size' must be a finite number in row 1"),
    "a number for a text": ({"town": 5}, "column 'town' must be text in row 1"),
    "neither true nor false": ({"new": 2}, "column 'new' must be true or false in row 1"),
    "text for a truth value": ({"new": "yes"}, "column 'new' must be true or false in row 1"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_inputs_that_are_refused_with_a_reason(model: Any, kind: str) -> None:
    changes, reason = REFUSED[kind]
    with pytest.raises(MlflowException) as raised:
        model.predict(pd.DataFrame([GOOD, GOOD | changes]))
    assert reason in raised.value.message
    assert raised.value.get_http_status_code() == 400


def test_a_missing_column_is_named(model: Any) -> None:
    with pytest.raises(MlflowException, match="column 'new' is missing; the model needs size, new"):
        model.predict(pd.DataFrame({"size": [1.0], "town": ["Rome"]}))


def test_a_category_of_numbers_and_no_rows_at_all(model: Any) -> None:
    with pytest.raises(MlflowException, match="column 'town' must be text in row 0"):
        model.predict(pd.DataFrame([GOOD | {"town": 5}]))
    assert len(model.predict(pd.DataFrame([GOOD])[:0])) == 0


def test_a_text_without_a_feature_is_none_of_the_values(tmp_path: Path) -> None:
    dataset = houses()
    assert dataset.schema
    columns = (*dataset.schema.columns[:2], Column("town", "category", ("Rome", "Ulm", "Wien")))
    dataset = Dataset(
        dataset.inputs,
        dataset.y,
        scaling=dataset.scaling,
        schema=replace(dataset.schema, columns=columns),
    )
    weights = network(dataset)
    model = mlflow.pyfunc.load_model(str(saved(weights, dataset, tmp_path / "here")))
    found = model.predict(pd.DataFrame([GOOD | {"town": "Oslo"}]))
    assert found.tolist() == weights.predict(torch.tensor([[100.0, 1, 0, 0, 0]])).tolist()


def test_many_rows_are_predicted_in_parts(
    model: Any, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.predict(rows_of(dataset))
    code = model.unwrap_python_model()
    monkeypatch.setitem(type(code).predict.__globals__, "MOST_NUMBERS", 20)
    assert model.predict(rows_of(dataset)).equals(whole)


def test_the_description_names_inputs_outputs_and_an_example(
    directory: Path, model: Any, dataset: Dataset
) -> None:
    described = Model.load(str(directory))
    assert described.metadata
    assert described.metadata["inputs"] == {"size": "number", "new": "boolean", "town": "category"}
    names = ["prediction", *(f"probability {each}" for each in dataset.classes)]
    assert described.signature.outputs.input_names() == names
    example: Any = described.load_input_example(str(directory))
    assert example.equals(rows_of(dataset)[:3])
    assert model.predict(example).equals(model.predict(rows_of(dataset)[:3]))
    assert "mlflow-skinny==" in (directory / "requirements.txt").read_text()


@pytest.mark.filterwarnings("ignore")  # from pandas and other packages that MLflow uses
def test_mlflow_evaluates_the_model(
    directory: Path, model: Any, dataset: Dataset, tmp_path: Path
) -> None:
    table = rows_of(dataset)
    table["price"] = [dataset.classes[y] for y in dataset.y] if dataset.classes else dataset.y
    # MLflow's evaluator of classifiers wants the labels alone.
    tried = (lambda rows: model.predict(rows)["prediction"]) if dataset.classes else str(directory)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    experiment_id = mlflow.create_experiment("e", str(tmp_path))  # do not set it for all tests
    try:
        with mlflow.start_run(experiment_id=experiment_id):
            found = mlflow.models.evaluate(
                tried,
                table,
                targets="price",
                model_type="classifier" if dataset.classes else "regressor",
                evaluators="default",
                evaluator_config={"log_model_explainability": False},
            )
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    name = "accuracy_score" if dataset.classes else "mean_squared_error"
    assert np.isfinite(found.metrics[name])


@pytest.fixture(scope="module")
def address(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(directory, tmp_path_factory.mktemp("served") / "log") as address:
        yield address


def test_a_scoring_server_answers_in_json_or_with_the_reason(
    address: str, directory: Path, dataset: Dataset
) -> None:
    inputs = torch.tensor([[100.0, 1, 1, 0, 0], [120.5, 0, 0, 0, 1]])
    expected = network(dataset).predict(inputs).tolist()
    records = [GOOD, {"size": 120.5, "new": False, "town": "Oslo"}]
    split = {"columns": list(GOOD), "data": [list(row.values()) for row in records]}
    columns = {name: [row[name] for row in records] for name in GOOD}
    bodies = [{"dataframe_records": records}, {"dataframe_split": split}]
    bodies += [{"instances": records}, {"inputs": columns}]
    answers = [post(address, json.dumps(body)) for body in bodies]
    answers.append(post(address, "town,size,new\nRome,100,true\nOslo,120.5,false", "text/csv"))
    for status, text in answers:
        assert status == 200, text
        assert numbers_of(json.loads(text)["predictions"]) == expected
    assert post(address, (directory / "serving_input_example.json").read_text())[0] == 200
    for changes, reason in REFUSED.values():
        body = json.dumps({"dataframe_records": [GOOD, GOOD | changes]})
        status, text = post(address, body)
        assert (status, reason in text) == (400, True), text
    status, text = post(address, json.dumps({"dataframe_records": [{"z": 1}]}))
    assert (status, "column 'size' is missing" in text) == (400, True), text
    status, text = post(address, json.dumps(bodies[0]))
    assert numbers_of(json.loads(text)["predictions"]) == expected
