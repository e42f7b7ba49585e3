"""predict: the rows of a file as they are, with what a network predicts behind them."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from fitreel.data.dataset import Dataset
from fitreel.data.decoding import decode
from fitreel.data.table.predicting import predict_file
from fitreel.training.files import save_weights
from fitreel.training.predictor import Predictor
from tests import processes
from tests.houses import houses, network

HEADER = "note,town,new,size\n"
ROW = "=1+1,Rome,true,100\n"


def predictor(dataset: Dataset, place: Path) -> Predictor:
    save_weights(network(dataset), place / "weights.safetensors", dataset)
    return Predictor.load(place / "weights.safetensors")


def cells(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def predicted(text: str, place: Path, dataset: Dataset | None = None) -> list[list[str]]:
    """Return the cells that are written for a CSV file."""
    (place / "new.csv").write_text(text)
    known = predictor(dataset or houses(), place)
    out = place / "out.csv"
    predict_file(place / "new.csv", out, known.schema, known.predict)
    return cells(out)


@pytest.mark.parametrize("classes", [(), ("no", "=yes", "<b>")], ids=["numbers", "classes"])
def test_the_rows_of_the_training_get_what_the_network_predicts(
    classes: tuple[str, ...], tmp_path: Path
) -> None:
    dataset = houses(classes)
    assert dataset.schema
    rows = pyarrow.table(decode(dataset.schema, dataset.inputs.numpy()))
    parquet.write_table(rows, tmp_path / "new.parquet")
    known = predictor(dataset, tmp_path)
    for out in ("out.parquet", "out.csv", "out.tsv"):
        path = tmp_path / "new.parquet"
        assert predict_file(path, tmp_path / out, known.schema, known.predict) == len(dataset)
    expected = network(dataset).predict(dataset.inputs).numpy()
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.select(rows.schema.names).equals(rows)
    if classes:
        shares = np.stack([found[f"probability {name}"].to_numpy() for name in classes], axis=1)
        assert shares.tolist() == expected.tolist()
        chosen = [classes[place] for place in expected.argmax(axis=1)]
        assert found["prediction"].to_pylist() == chosen
    else:
        assert found["prediction"].to_numpy().tolist() == expected.tolist()
    for out, delimiter in (("out.csv", ","), ("out.tsv", "\t")):
        names, *lines = cells(tmp_path / out, delimiter)
        assert names == found.schema.names
        numbers = np.array([row[-1] for row in lines], np.float32)
        assert numbers.tolist() == found[found.schema.names[-1]].to_numpy().tolist()


def test_rows_stay_as_they_were_written(tmp_path: Path) -> None:
    texts = ["=1+1", '<b>,"', "two\nlines", "NA", "", " 1,50 ", "007"]
    file = io.StringIO()
    csv.writer(file).writerows([["note", "size", "", "town", "new"]])
    csv.writer(file).writerows([[text, "1.50", text, "Rome", "TRUE"] for text in texts])
    found = predicted(file.getvalue(), tmp_path)
    assert [row[:-1] for row in found] == list(csv.reader(io.StringIO(file.getvalue())))
    assert len({row[-1] for row in found[1:]}) == 1
    assert (
        (tmp_path / "out.csv").read_text().startswith("note,size,,town,new,prediction\n=1+1,1.50")
    )


def test_decimal_commas_are_read_and_kept(tmp_path: Path) -> None:
    predicted("size;new;town\n1,5;true;Rome\n2,5;false;Ulm\n", tmp_path)
    first = (tmp_path / "out.csv").read_text().splitlines()[1]
    assert first.startswith("1,5;true;Rome;")
    same = predicted("size,new,town\n1.5,true,Rome\n", tmp_path)
    assert first.rpartition(";")[2] == same[1][-1]


def test_missing_values_are_filled_as_the_schema_says(tmp_path: Path) -> None:
    rows = predicted("size,new,town\n1,NA,\n1,false,Ulm\n", tmp_path)
    assert rows[1] == ["1", "NA", "", rows[2][-1]]


REFUSED = {
    "a missing column": ("size,new\n1,true\n", "column 'town' is missing"),
    "a missing value": (HEADER + ROW + "n,Rome,true,\n", "column 'size' has no value in row 2"),
    "text": (HEADER + ROW * 40_000 + "n,Rome,true,two\n", "has 'two' in row 40,001"),
    "its own column": ("size,new,town,prediction\n1,true,Rome,2\n", "'prediction' already"),
    "ragged": (HEADER + ROW + "n,Rome\n", "has 2 values for 4 columns"),
    "no rows": (HEADER, "no rows"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_predicted_leaves_nothing(kind: str, tmp_path: Path) -> None:
    text, reason = REFUSED[kind]
    (tmp_path / "out.csv").write_text("before")
    with pytest.raises(ValueError, match=reason):
        predicted(text, tmp_path)
    assert (tmp_path / "out.csv").read_text() == "before"
    names = {"new.csv", "out.csv", "weights.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_file_without_a_schema_is_one_of_points(tmp_path: Path) -> None:
    weights = network(houses())
    save_weights(weights, tmp_path / "w")
    with pytest.raises(ValueError, match="does not say which columns"):
        Predictor.load(tmp_path / "w")


def test_the_command_takes_runs_models_and_pipes(tmp_path: Path) -> None:
    table = "size,new,town,price\n" + "".join(
        f"{size},{size % 2 == 0},{('Rome', 'Ulm')[size % 3 == 0]},{3 * size}\n"
        for size in range(1, 60)
    )
    (tmp_path / "t.csv").write_text(table)

    def run(*words: str) -> tuple[int, str, str]:
        spool = {"FITREEL_SPOOL": str(tmp_path / "spool")}
        return processes.run(*words, directory=tmp_path, **spool)

    short = ("--epochs", "5", "--max-frames", "2", "--register", "houses")
    code, output, errors = run("run", "--data", "t.csv", "--target", "price", *short)
    assert code == 0, errors
    run_id = output.strip()
    _, printed, _ = run("predict", "--run", run_id, "--data", "t.csv")
    assert printed.splitlines()[0] == "size,new,town,price,prediction"
    assert len(printed.splitlines()) == 60
    words = ("predict", "--model", "models:/houses@champion", "--data", "t.csv")
    code, output, errors = run(*words, "--out", "o.csv", "--json")
    assert json.loads(output) == {"rows": 59, "out": str(tmp_path / "o.csv")}, errors
    assert (tmp_path / "o.csv").read_text() == printed
    for options, reason in {
        ("--data", "t.csv"): "name a run with --run, or a model with --model",
        ("--run", run_id, "--data", "t.csv", "--out", "o.xls"): "--out must end with one of",
        ("--model", "models:/none@champion", "--data", "t.csv"): "none",
        ("--model", "models:/houses/7", "--data", "t.csv"): "houses",
        ("--model", "x", "--data", "t.csv"): "is not a model",
        ("--run", run_id, "--data", "none.csv"): "none.csv does not exist",
    }.items():
        code, _, errors = run("predict", *options)
        assert (code, reason in errors, errors.count("\n")) == (2, True, 1), errors
