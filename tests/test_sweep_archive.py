"""The archive of a study: what Optuna itself would have written, once."""

import sqlite3
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from fitreel.sweep.archive import Archive

TABLES = {
    "trials": "number, state, datetime_start, datetime_complete",
    "trial_params": "trial_id, param_name, param_value, distribution_json",
    "trial_values": "trial_id, objective, value, value_type",
    "trial_intermediate_values": "trial_id, step, intermediate_value, intermediate_value_type",
}


@pytest.fixture
def study() -> optuna.Study:
    """Trials of every kind of setting, that ended in every way."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(12):
        trial = study.ask()
        trial.suggest_float("lr", 1e-3, 0.5, log=True)
        trial.suggest_int("hidden", 2, 64)
        trial.suggest_categorical("activation", ["relu", "tanh"])
        if number % 3 == 1:
            trial.report(0.5 / (number + 1), 62)
            study.tell(trial, state=TrialState.PRUNED)
        elif number % 3 == 2:
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, 1 / (number + 1))
    return study


def rows(database: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(database)
    found = {
        table: sorted(connection.execute(f"SELECT {columns} FROM {table}"))
        for table, columns in TABLES.items()
    }
    connection.close()
    return found


def test_an_archive_holds_row_for_row_what_optuna_would_write(
    study: optuna.Study, tmp_path: Path
) -> None:
    theirs = optuna.create_study(storage=f"sqlite:///{tmp_path}/theirs.db", study_name="mine")
    theirs.add_trials(study.trials)
    archive = Archive("sqlite:///ours.db", tmp_path)
    archive.begin("mine", study.direction)
    archive.extend(study.trials[:5])
    archive.extend(study.trials)
    assert rows(tmp_path / "ours.db") == rows(tmp_path / "theirs.db")


def test_one_that_is_gone_on_with_holds_nothing_twice(study: optuna.Study, tmp_path: Path) -> None:
    for count in (5, 3, 12):
        archive = Archive("sqlite:///study.db", tmp_path)
        archive.begin("mine", study.direction)
        archive.extend(study.trials[:count])
    kept = optuna.load_study(study_name="mine", storage=f"sqlite:///{tmp_path}/study.db")
    assert [trial.params for trial in kept.trials] == [trial.params for trial in study.trials]
    assert kept.best_params == study.best_params
    # Optuna goes on with it.
    kept.enqueue_trial({"lr": 0.1})
    assert kept.ask().number == 12


@pytest.mark.parametrize("url", ["postgresql+nothing://there/db", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_cannot_be_opened(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match=r"^the study cannot be kept: ") as raised:
        Archive(url, tmp_path)
    assert "\n" not in str(raised.value)


def test_a_database_that_is_damaged_meanwhile(study: optuna.Study, tmp_path: Path) -> None:
    archive = Archive("sqlite:///study.db", tmp_path)
    archive.begin("mine", study.direction)
    connection = sqlite3.connect(tmp_path / "study.db")
    connection.execute("DROP TABLE trial_params")
    connection.close()
    with pytest.raises(ConnectionError, match=r"cannot be kept: .*no such table"):
        archive.extend(study.trials)


@pytest.mark.parametrize(
    ("url", "line"),
    [
        (
            "postgresql+psycopg2://me:se/cret@host/db",
            "postgresql+psycopg2://***@host/db needs its driver: pip install psycopg2-binary",
        ),
        ("postgresql://me:secret", "'postgresql://***' is not the URL of a database"),
    ],
)
def test_no_password_is_in_what_is_told(url: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError) as raised:
        Archive(url, tmp_path)
    assert (
        str(raised.value) == f"the study cannot be kept: {line}; name another place with --storage"
    )
