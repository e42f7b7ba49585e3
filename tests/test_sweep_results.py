"""The results: the best trials, the labels of trials, and the table of all trials."""

import csv
from pathlib import Path

import numpy as np

from fitreel.settings import SweepSettings, TrainingSettings
from fitreel.sweep.results import Results, save_trials
from fitreel.sweep.trials import Outcome, Trial
from fitreel.training.members import End


def results(*ended: tuple[End, float], metric: str = "test_rmse", space: str = "") -> Results:
    """Return the results of trials with these outcomes and scores."""
    rates = [0.1, 0.123456789, 0.01, 0.5]
    trials = [
        Trial(number, TrainingSettings(lr=rates[number], epochs=20), 10)
        for number in range(len(ended))
    ]
    outcomes = [
        Outcome(
            number,
            end,
            20 if end == "finished" else 5,
            10,
            np.array([0.5, 0.25], dtype=np.float32),
            {} if end == "diverged" else {metric: score},
            None,
            (0, 1),
        )
        for number, (end, score) in enumerate(ended)
    ]
    settings = SweepSettings(metric=metric, space=space or "lr=log:1e-3:1 hidden=int:2:64")  # type: ignore[arg-type]
    return Results(settings, trials, outcomes)


def test_the_best_finished_trials_come_first() -> None:
    ended: list[tuple[End, float]] = [
        ("finished", 0.3),
        ("pruned", 0.1),
        ("finished", 0.2),
        ("diverged", 0),
    ]
    assert results(*ended).best(9) == [2, 0]
    assert results(*ended).best(1) == [2]
    assert results(*ended, metric="test_r2").best(9) == [0, 2]
    assert results(*ended).ends == {"finished": 2, "diverged": 1, "pruned": 1}
    assert results(*ended).summary == "4 trials: 2 finished, 1 diverged, 1 pruned"


def test_a_score_that_is_not_a_number_is_never_best() -> None:
    assert results(("finished", float("nan")), ("finished", 0.2)).best(9) == [1]
    assert results(("finished", float("nan"))).best(9) == []


def test_the_table_has_a_row_per_trial(tmp_path: Path) -> None:
    save_trials(results(("finished", 0.3), ("diverged", 0)), tmp_path / "trials.csv")
    with (tmp_path / "trials.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["trial", "run", "end", "epochs", "lr", "hidden", "loss", "test_rmse"],
            ["0", "0-relu20-sgd-lr0.1-e20", "finished", "20", "0.1", "20", "0.25", "0.3"],
            ["1", "1-relu20-sgd-lr0.123457-e20", "diverged", "5", "0.123456789", "20", "0.25", ""],
        ]
