"""The search: equal choices after equal outcomes, with any engine, interrupted or not."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import optuna
import pytest
from optuna.trial import TrialState

from fitreel.data.dataset import Dataset
from fitreel.settings import (
    DataSettings,
    EvaluationSettings,
    SamplerName,
    SweepSettings,
    TrainingSettings,
)
from fitreel.sweep.archive import Archive
from fitreel.sweep.engines import Engine, LocalEngine, open_engine
from fitreel.sweep.rounds import Round, check_device
from fitreel.sweep.search import Search
from fitreel.sweep.study import Study
from fitreel.sweep.trials import Outcome, Trial

RANGES = "lr=log:1e-3:0.5 hidden=int:2:30"
GRID = "lr=log:1e-3:0.5:5 hidden=2|4|8"
Found = list[tuple[Trial, Outcome]]


def settings(sampler: SamplerName = "random", **changes: Any) -> SweepSettings:
    space = GRID if sampler == "grid" else RANGES
    return SweepSettings(
        **{"trials": 24, "sampler": sampler, "space": space, "round_size": 8} | changes
    )


def search(dataset: Dataset, of: SweepSettings) -> Search:
    base = TrainingSettings(epochs=40)
    return Search(of, dataset, DataSettings(), base, EvaluationSettings(100))


def found(
    dataset: Dataset, of: SweepSettings, engine: Engine | None = None, known: Found | None = None
) -> Found:
    before = {trial.number: (trial.settings, outcome) for trial, outcome in known or ()}
    rounds = search(dataset, of).run(Study(of), engine or LocalEngine(), before)
    return [pair for each in rounds for pair in each]


def asked(of: Iterable[tuple[Trial, Outcome]]) -> list[TrainingSettings]:
    return [trial.settings for trial, _ in of]


@pytest.mark.parametrize("sampler", get_args(SamplerName))
def test_a_resumed_search_chooses_the_same_trials(dataset: Dataset, sampler: SamplerName) -> None:
    whole = found(dataset, settings(sampler))
    assert [trial.number for trial, _ in whole] == list(range(settings(sampler).count))
    for done in (8, 11):  # after a round, and in the middle of the next
        again = found(dataset, settings(sampler), known=whole[:done])
        assert asked(again) == asked(whole)
        assert [outcome.metrics for _, outcome in again] == [
            outcome.metrics for _, outcome in whole
        ]


class Counting(Study):
    """A study that counts the outcomes reported to it."""

    reported = 0

    def report(self, outcomes: Iterable[Outcome]) -> None:
        logged = list(outcomes)
        self.reported += len(logged)
        super().report(logged)


def test_a_round_is_reported_after_the_caller_has_logged_it(dataset: Dataset) -> None:
    study = Counting(settings())
    for logged in search(dataset, settings()).run(study, LocalEngine(), {}):
        assert study.reported == logged[0][0].number
    assert study.reported == 24


def test_another_seed_is_another_search(dataset: Dataset) -> None:
    assert asked(found(dataset, settings())) != asked(found(dataset, settings(sweep_seed=1)))


def test_known_trials_are_not_trained_again(dataset: Dataset) -> None:
    class CountingEngine(LocalEngine):
        rounds = 0

        def outcomes(self, submitted: Round) -> list[Outcome]:
            self.rounds += 1
            return super().outcomes(submitted)

    engine = CountingEngine()
    whole = found(dataset, settings(), engine)
    assert engine.rounds == 3
    found(dataset, settings(), engine, known=whole[:16])
    assert engine.rounds == 4


def test_a_grid_is_every_point_once(dataset: Dataset) -> None:
    points = [(each.lr, each.hidden) for each in asked(found(dataset, settings("grid")))]
    assert len(points) == len(set(points)) == 15
    assert {hidden for _, hidden in points} == {2, 4, 8}


def test_tpe_learns(dataset: Dataset) -> None:
    """Later trials are better than the first ones, which are drawn at random."""
    scores = [
        outcome.metrics["test_rmse"]
        for _, outcome in found(dataset, settings("tpe", trials=96))
        if outcome.end == "finished"
    ]
    early, late = sorted(scores[:32]), sorted(scores[-32:])
    assert late[len(late) // 2] < early[len(early) // 2]


class Late:
    """An engine that trains rounds at the same time, of which the last is done first."""

    def __init__(self, parallel: int) -> None:
        self.parallel = parallel
        self.under_way = self.most = 0

    def submit(self, submitted: Round) -> list[Outcome]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        return submitted.train()

    def outcomes(self, submitted: list[Outcome]) -> list[Outcome]:
        self.under_way -= 1
        return submitted


def test_rounds_at_once_do_not_change_the_choices_of_a_sampler_that_does_not_learn(
    dataset: Dataset,
) -> None:
    engine = Late(2)
    assert asked(found(dataset, settings(), engine)) == asked(found(dataset, settings()))
    assert engine.most == 2


def test_a_sampler_that_learns_chooses_the_same_with_as_many_rounds_at_once(
    dataset: Dataset,
) -> None:
    first = found(dataset, settings("tpe", round_size=4), Late(3))
    again = found(dataset, settings("tpe", round_size=4), Late(3), known=first[:10])
    assert asked(again) == asked(first)


def test_the_study_is_stored_in_a_database(dataset: Dataset, tmp_path: Path) -> None:
    of = settings("tpe", prune="on", space="lr=0.05|8e5|9e5|1e6 hidden=int:2:30")
    study = Study(of)
    study.archive_in(Archive("sqlite:///study.db", tmp_path), "mine")
    pairs = [pair for each in search(dataset, of).run(study, LocalEngine(), {}) for pair in each]
    kept = optuna.load_study(study_name="mine", storage=f"sqlite:///{tmp_path}/study.db")
    states = {
        "finished": TrialState.COMPLETE,
        "diverged": TrialState.FAIL,
        "pruned": TrialState.PRUNED,
    }
    assert [trial.state for trial in kept.trials] == [states[each.end] for _, each in pairs]
    assert {each.end for _, each in pairs} == set(states)
    for trial, (mine, outcome) in zip(kept.trials, pairs, strict=True):
        assert trial.params == {name: getattr(mine.settings, name) for name in trial.params}
        if outcome.end == "finished":
            assert trial.value == outcome.metrics["test_rmse"]
        if outcome.end == "pruned":
            assert trial.intermediate_values == {
                outcome.epochs: pytest.approx(float(outcome.curve[-1]))
            }
    # A resumed study is stored under the same name, and no trial twice.
    again = Study(of)
    again.archive_in(Archive(f"sqlite:///{tmp_path}/study.db", Path("elsewhere")), "mine")
    known = {trial.number: (trial.settings, outcome) for trial, outcome in pairs[:8]}
    list(search(dataset, of).run(again, LocalEngine(), known))
    assert (
        len(optuna.load_study(study_name="mine", storage=f"sqlite:///{tmp_path}/study.db").trials)
        == 24
    )


def test_importances_add_up(dataset: Dataset) -> None:
    study = Study(settings(trials=64))
    list(search(dataset, settings(trials=64)).run(study, LocalEngine(), {}))
    shares = study.importances()
    assert shares.keys() == {"lr", "hidden"}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["lr"] > shares["hidden"]
    assert Study(settings()).importances() == {}


def test_a_device_must_be_available() -> None:
    check_device("cpu")
    # meta stores no numbers; privateuseone lacks its package.
    for device in ("cuda:99", "abacus", "meta", "mps", "xla", "privateuseone", "lazy"):
        with pytest.raises(ValueError, match=f"device '{device}' cannot be used: ") as raised:
            open_engine(settings(device=device))
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("metric", "sign"), [("test_rmse", 1), ("test_r2", -1)])
def test_a_low_loss_of_a_pruned_trial_counts_as_good_for_any_metric(
    dataset: Dataset, tmp_path: Path, metric: Any, sign: int
) -> None:
    of = settings(metric=metric, prune="on")
    study = Study(of)
    study.archive_in(Archive("sqlite:///study.db", tmp_path), "mine")
    pairs = [pair for each in search(dataset, of).run(study, LocalEngine(), {}) for pair in each]
    kept = optuna.load_study(study_name="mine", storage=f"sqlite:///{tmp_path}/study.db")
    for trial, (_, outcome) in zip(kept.trials, pairs, strict=True):
        if outcome.end == "pruned":
            loss = sign * float(outcome.curve[-1])
            assert trial.intermediate_values == {outcome.epochs: pytest.approx(loss)}


def test_rounds_of_long_trainings_are_smaller(dataset: Dataset) -> None:
    def size(space: str, epochs: int) -> int:
        base = TrainingSettings(epochs=epochs)
        of = SweepSettings(space=space)
        return Search(of, dataset, DataSettings(), base, EvaluationSettings()).round_size

    assert size("seed=0|1", 1000) == 256
    assert size("seed=0|1", 1_000_000) == 50
    assert size("epochs=10|5000000", 10) == 10
    assert size("epochs=log:10:10000000", 10) == 5


@pytest.mark.parametrize("sampler", get_args(SamplerName))
def test_known_trials_keep_their_values_if_a_sampler_would_choose_others(
    dataset: Dataset, sampler: SamplerName
) -> None:
    """Another version of Optuna may do so; here the seed differs."""
    first = found(dataset, settings(sampler))[:11]
    other = settings(sampler, sweep_seed=5)
    whole = found(dataset, other, known=first)
    assert asked(whole)[:11] == asked(first)
    assert [outcome for _, outcome in whole[:11]] == [outcome for _, outcome in first]
    assert len(whole) == other.count


def test_known_trials_of_a_grid_keep_their_values() -> None:
    """Values are kept even if the grid has another order."""
    before = Study(settings("grid")).ask(3)
    known = {0: before[2], 1: before[0]}
    assert Study(settings("grid")).ask(3, known) == [before[2], before[0], before[2]]
