"""A table from the command line: read, kept, learned from, measured, resumed, swept."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from mlflow.entities import Run
from numpy.typing import NDArray
from safetensors.numpy import load_file

from fitreel.data import absolute_address
from fitreel.tracking import Tracker
from fitreel.tracking.names import TABLE
from tests import processes
from tests.conftest import ROOT, environment
from tests.faults import SPOOL, client, wait_until

SHORT = ("--epochs", "30", "--hidden", "6", "--player", "off")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with two tables: the price of houses, and kinds of flowers."""
    houses(tmp_path / "houses.csv")
    flowers = np.random.default_rng(1).normal(size=(60, 2))
    kind = np.where(flowers.sum(axis=1) > 0, "rose", "iris")
    columns = {"width": flowers[:, 0] + 5, "height": flowers[:, 1] * 3, "kind": kind}
    pandas.DataFrame(columns).to_csv(tmp_path / "flowers.csv", index=False)
    return tmp_path


def houses(path: Path, rows: int = 80) -> pandas.DataFrame:
    numbers = np.random.default_rng(0)
    size, age = numbers.uniform(40, 200, rows), numbers.integers(0, 90, rows)
    town = numbers.choice(["Ulm", "Bonn", "Jena"], rows)
    price = 2000 * size - 900 * age + 50_000 * (town == "Bonn") + numbers.normal(0, 5000, rows)
    table = pandas.DataFrame({"size": size, "age": age, "town": town, "price": price})
    table.to_csv(path, index=False)
    return table


def command(directory: Path, *arguments: str, **changes: str) -> tuple[int, str, str]:
    spool = {SPOOL: str(directory / "spool")}
    return processes.run(*arguments, directory=directory, **spool | changes)


def succeed(directory: Path, *arguments: str, **changes: str) -> Run:
    code, output, errors = command(directory, *arguments, **changes)
    assert code == 0, errors
    return client(directory).get_run(output.strip())


def artifact(directory: Path, run: Run, path: str) -> Path:
    return Path(client(directory).download_artifacts(run.info.run_id, path))


def test_a_table_becomes_a_run(directory: Path) -> None:
    run = succeed(directory, "run", "--data", "houses.csv", "--target", "price", *SHORT)
    params, metrics = run.data.params, run.data.metrics
    assert run.info.run_name == "houses-relu6-adam-lr0.01-e30"
    assert {name: params[name] for name in ("data", "target", "task", "data_seed")} == {
        "data": "houses.csv",
        "target": "price",
        "task": "auto",
        "data_seed": "0",
    }
    # Neither points nor what is empty.
    assert not {"samples", "function", "test_samples", "group", "test"} & params.keys()
    assert metrics["test_rmse"] == pytest.approx(metrics["test_mse"] ** 0.5)
    assert {"test_mae", "test_r2", "mean_test_rmse", "ridge_test_rmse"} <= metrics.keys()
    kept = artifact(directory, run, "data/table.csv")
    assert kept.read_bytes() == (directory / "houses.csv").read_bytes()
    assert run.inputs
    (used,) = run.inputs.dataset_inputs
    assert json.loads(used.dataset.profile or "")["num_rows"] == 80
    names = [each["name"] for each in json.loads(used.dataset.schema or "")["mlflow_colspec"]]
    assert names == ["size", "age", "town", "price"]
    for name in ("rst.gif", "rst.png", "residuals.png", "importance.png", "data/profile.png"):
        assert artifact(directory, run, name).stat().st_size > 1000
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("**The network is worse than ridge regression on the test rows")
    assert "fitreel run --data houses.csv --target price --hidden 6 --epochs 30\n" in note


def test_without_test_rows_nothing_is_said_of_a_test(directory: Path) -> None:
    options = ("--data", "houses.csv", "--target", "price", "--test-size", "0", *SHORT)
    run = succeed(directory, "run", *options)
    assert "test_samples" not in run.data.params
    assert not [name for name in run.data.metrics if name.startswith("test_")]


def test_text_is_learned_as_classes(directory: Path) -> None:
    code, output, errors = command(
        directory, "run", "--data", "flowers.csv", "--target", "kind", *SHORT, "--lr", "0.05"
    )
    assert code == 0
    assert "the task is classification: 'kind' holds text\n" in errors
    metrics = client(directory).get_run(output.strip()).data.metrics
    assert metrics["test_accuracy"] > 0.8
    assert {"test_log_loss", "test_f1", "test_roc_auc", "logistic_test_accuracy"} <= metrics.keys()


def test_no_test_row_changes_the_training(directory: Path) -> None:
    """Rows that are held out may say anything: network, losses and scaling stay the same."""
    table = houses(directory / "houses.csv")
    options = ("--data", "houses.csv", "--target", "price", *SHORT)
    first = succeed(directory, "run", *options)
    kept = json.loads(artifact(directory, first, TABLE).read_text())
    assert kept["rows"] == {"training": 54, "validation": 10, "test": 16}
    seen = trained_rows(directory, first, table)
    table.loc[~seen, ["size", "age"]] *= 1000
    table.loc[~seen, "town"] = "Nowhere"
    table.loc[~seen, "price"] = 1e9
    table.to_csv(directory / "houses.csv", index=False)
    second = succeed(directory, "run", *options)
    for path in ("weights.safetensors", "training/history.csv", "training/frames.safetensors"):
        ours, theirs = (artifact(directory, run, path).read_bytes() for run in (first, second))
        assert ours == theirs
    assert first.data.metrics["test_rmse"] * 100 < second.data.metrics["test_rmse"]


def trained_rows(directory: Path, run: Run, table: pandas.DataFrame) -> NDArray[np.bool_]:
    """Return which rows of a table a run did not hold out for the test."""
    uri = f"sqlite:///{directory}/mlflow.db"
    dataset = Tracker(uri, may_create=False).source(run.info.run_id).dataset()
    assert dataset.test is not None
    test = dataset.test.y.numpy()
    return ~np.isin(table["price"].to_numpy().astype(np.float32), test)


def test_a_killed_run_is_resumed_from_its_own_copy_of_the_table(directory: Path) -> None:
    """The file is gone meanwhile; every number is that of a run that was not killed."""
    options = ("--data", "houses.csv", "--target", "price", "--player", "off", "--hidden", "6")
    long = ("--epochs", "20000", "--patience-epochs", "20000", "--checkpoint-every", "100")
    whole = succeed(directory, "run", *options, *long, "--frame-every", "1000")
    process = processes.start(
        *("run", *options, *long, "--frame-every", "1000"),
        directory=directory,
        **{SPOOL: str(directory / "spool")},
    )
    wait_until(lambda: any((directory / "spool").glob("*/checkpoint*")), "for a checkpoint")
    process.kill()
    process.join()
    (directory / "houses.csv").unlink()
    resumed = succeed(directory, "resume")
    assert resumed.info.run_id != whole.info.run_id
    for path in ("weights.safetensors", "training/history.csv"):
        ours, theirs = (artifact(directory, run, path).read_bytes() for run in (whole, resumed))
        assert ours == theirs
    assert resumed.data.metrics["test_rmse"] == whole.data.metrics["test_rmse"]


def test_another_training_takes_the_table_of_a_run(directory: Path) -> None:
    first = succeed(directory, "generate", "--data", "houses.csv", "--target", "price")
    trained = succeed(directory, "train", "--run", first.info.run_id, "--hidden", "6")
    assert trained.data.params["optimizer"] == "adam"  # the default of tables
    store = client(directory)
    other = store.create_run(first.info.experiment_id).info.run_id
    again = succeed(
        directory,
        *("train", "--run", first.info.run_id, "--hidden", "7", "--optimizer", "sgd"),
        MLFLOW_RUN_ID=other,
    )
    assert again.info.run_id == other
    assert again.data.params["optimizer"] == "sgd"
    assert again.data.params["data"] == "houses.csv"
    assert artifact(directory, again, "data/table.csv").exists()
    evaluated = succeed(directory, "evaluate", "--run", other)
    assert "ridge_test_rmse" in evaluated.data.metrics


def test_a_large_table_stays_at_its_address(directory: Path) -> None:
    options = ("--data", "houses.csv", "--target", "price", "--keep-data-mb", "0", *SHORT)
    run = succeed(directory, "run", *options)
    kept = json.loads(artifact(directory, run, TABLE).read_text())["files"]
    assert [(each["name"], each["address"]) for each in kept] == [
        ("", str(directory / "houses.csv"))
    ]
    code, _, errors = command(directory, "reproduce", run.info.run_id)
    assert (code, "identical" in errors) == (0, True)
    houses(directory / "houses.csv", rows=90)
    code, _, errors = command(directory, "reproduce", run.info.run_id)
    assert code == 2
    assert "houses.csv changed since the run read it: its SHA-256 is another" in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--data", "houses.csv"), "own data needs a target: --target COLUMN"),
        (("--target", "price"), "these options are for own data: --data FILE"),
        (("--data", "houses.csv", "--target", "prize"), "price"),
        (("--data", "gone.csv", "--target", "price"), "gone.csv"),
        (
            ("--data", "houses.csv", "--target", "price", "--noise", "0.1"),
            "a table has rows of its own: samples, function, noise, x_min and x_max draw points",
        ),
    ],
)
def test_bad_options_create_no_run(directory: Path, options: tuple[str, ...], message: str) -> None:
    code, output, errors = command(directory, "run", *options)
    assert (code, output, len(errors.splitlines())) == (2, "", 1)
    assert message in errors
    assert not client(directory).search_runs(["0"]) if (directory / "mlflow.db").exists() else True


def test_a_sweep_chooses_by_validation_rows(directory: Path) -> None:
    run = succeed(
        directory,
        *("sweep", "--data", "houses.csv", "--target", "price", "--trials", "6"),
        *("--epochs", "40", "--space", "lr=0.001,0.01,0.1", "--space", "hidden=4,8"),
    )
    store = client(directory)
    trials = store.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    )
    assert len(trials) == 6
    errors = [trial.data.metrics["validation_error"] for trial in trials]
    assert not any(name.startswith("test_") for each in trials for name in each.data.metrics)
    best = run.data.metrics
    assert best["validation_error"] == min(errors)
    assert {"test_rmse", "ridge_test_rmse"} <= best.keys()
    network = load_file(artifact(directory, run, "weights.safetensors"))
    assert "scaling.input_mean" in network


def test_folds_measure_the_trials_of_a_sweep(directory: Path) -> None:
    run = succeed(
        directory,
        *("sweep", "--data", "flowers.csv", "--target", "kind", "--trials", "3", "--cv", "3"),
        *("--epochs", "40", "--space", "hidden=2,4,8"),
    )
    assert 0 < run.data.metrics["validation_error"] < 0.7
    for options, message in (
        (("--cv", "3"), "cv and validation_error are for tables"),
        (
            ("--data", "flowers.csv", "--target", "kind", "--metric", "test_rmse"),
            "a sweep of a table ranks trials by validation_error",
        ),
    ):
        code, _, errors = command(directory, "sweep", *options)
        assert (code, message in errors) == (2, True)


def test_standard_input_is_a_table_that_is_kept_however_large(directory: Path) -> None:
    options = ["--data", "-", "--target", "price", "--keep-data-mb", "0"]
    shutil.copy(directory / "houses.csv", directory / "houses")
    with (directory / "houses").open("rb") as rows:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "generate", *options],
            stdin=rows,
            cwd=directory,
            env=environment(PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    run = client(directory).get_run(done.stdout.strip())
    assert run.info.run_name == "table"
    kept = artifact(directory, run, "data/table.csv")
    assert kept.read_bytes() == (directory / "houses.csv").read_bytes()


def test_an_address_means_the_same_in_other_directories(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(directory)
    monkeypatch.setenv("HOME", "/home/ada")
    assert absolute_address("houses.csv") == str(directory / "houses.csv")
    assert absolute_address("~/houses.csv") == "/home/ada/houses.csv"
    for other in ("-", "https://host/houses.csv", "runs:/abc/houses.csv", "file:///houses.csv"):
        assert absolute_address(other) == other
