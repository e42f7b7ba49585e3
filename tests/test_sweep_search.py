"""The search: the same questions for the same answers, whoever trains and however often it dies."""

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
from fitreel.sweep.search import Engine, LocalEngine, Search, open_engine
from fitreel.sweep.study import Study
from fitreel.sweep.trials import Batch, Outcome, Trial, check_device

RANGES = "lr=log:1e-3:0.5 hidden=int:2:30"
GRID = "lr=log:1e-3:0.5:5 hidden=2|4|8"
Found = list[tuple[Trial, Outcome]]


def settings(sampler: SamplerName = "random", **changes: Any) -> SweepSettings:
    space = GRID if sampler == "grid" else RANGES
    return SweepSettings(**{"trials": 24, "sampler": sampler, "space": space, "batch": 8} | changes)


def search(dataset: Dataset, of: SweepSettings) -> Search:
    base = TrainingSettings(epochs=40)
    return Search(of, dataset, DataSettings(), base, EvaluationSettings(100))


def found(
    dataset: Dataset, of: SweepSettings, engine: Engine | None = None, known: Found | None = None
) -> Found:
    before = {trial.number: (trial.settings, outcome) for trial, outcome in known or ()}
    batches = search(dataset, of).run(Study(of), engine or LocalEngine(), before)
    return [pair for batch in batches for pair in batch]


def asked(of: Iterable[tuple[Trial, Outcome]]) -> list[TrainingSettings]:
    return [trial.settings for trial, _ in of]


@pytest.mark.parametrize("sampler", get_args(SamplerName))
def test_what_was_interrupted_asks_the_same_again(dataset: Dataset, sampler: SamplerName) -> None:
    whole = found(dataset, settings(sampler))
    assert [trial.number for trial, _ in whole] == list(range(settings(sampler).count))
    for done in (8, 11):  # after a batch, and in the middle of the next
        again = found(dataset, settings(sampler), known=whole[:done])
        assert asked(again) == asked(whole)
        assert [outcome.metrics for _, outcome in again] == [
            outcome.metrics for _, outcome in whole
        ]


class Listening(Study):
    """A study that counts what it is told."""

    told = 0

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        kept = list(outcomes)
        self.told += len(kept)
        super().tell(kept)


def test_a_study_is_told_of_a_batch_after_it_was_kept(dataset: Dataset) -> None:
    study = Listening(settings())
    for kept in search(dataset, settings()).run(study, LocalEngine(), {}):
        assert study.told == kept[0][0].number
    assert study.told == 24


def test_another_seed_is_another_search(dataset: Dataset) -> None:
    assert asked(found(dataset, settings())) != asked(found(dataset, settings(sweep_seed=1)))


def test_what_is_known_is_not_trained_again(dataset: Dataset) -> None:
    class Counting(LocalEngine):
        batches = 0

        def outcomes(self, submitted: Batch) -> list[Outcome]:
            self.batches += 1
            return super().outcomes(submitted)

    engine = Counting()
    whole = found(dataset, settings(), engine)
    assert engine.batches == 3
    found(dataset, settings(), engine, known=whole[:16])
    assert engine.batches == 4


def test_a_grid_is_every_point_once(dataset: Dataset) -> None:
    points = [(each.lr, each.hidden) for each in asked(found(dataset, settings("grid")))]
    assert len(points) == len(set(points)) == 15
    assert {hidden for _, hidden in points} == {2, 4, 8}


def test_tpe_learns(dataset: Dataset) -> None:
    """Its later trials are better than those that it drew at random."""
    scores = [
        outcome.metrics["test_mse"]
        for _, outcome in found(dataset, settings("tpe", trials=96))
        if outcome.end == "finished"
    ]
    early, late = sorted(scores[:32]), sorted(scores[-32:])
    assert late[len(late) // 2] < early[len(early) // 2]


class Late:
    """Batches under way side by side, of which the last is done first."""

    def __init__(self, parallel: int) -> None:
        self.parallel = parallel
        self.under_way = self.most = 0

    def submit(self, batch: Batch) -> list[Outcome]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        return batch.train()

    def outcomes(self, submitted: list[Outcome]) -> list[Outcome]:
        self.under_way -= 1
        return submitted


def test_batches_under_way_do_not_change_what_a_blind_sampler_asks(dataset: Dataset) -> None:
    engine = Late(2)
    assert asked(found(dataset, settings(), engine)) == asked(found(dataset, settings()))
    assert engine.most == 2


def test_a_learning_sampler_asks_the_same_with_as_many_under_way(dataset: Dataset) -> None:
    first = found(dataset, settings("tpe", batch=4), Late(3))
    again = found(dataset, settings("tpe", batch=4), Late(3), known=first[:10])
    assert asked(again) == asked(first)


def test_the_study_is_kept_in_a_database(dataset: Dataset, tmp_path: Path) -> None:
    of = settings("tpe", prune="on", space="lr=0.05|8e5|9e5|1e6 hidden=int:2:30")
    study = Study(of)
    study.archive_in(Archive("sqlite:///study.db", tmp_path), "mine")
    pairs = [pair for batch in search(dataset, of).run(study, LocalEngine(), {}) for pair in batch]
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
            assert trial.value == outcome.metrics["test_mse"]
        if outcome.end == "pruned":
            assert trial.intermediate_values == {
                outcome.epochs: pytest.approx(float(outcome.curve[-1]))
            }
    # Begun again it goes on below the same name, and nothing is there twice.
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


def test_a_device_must_be_there() -> None:
    check_device("cpu")
    # meta takes numbers and gives none back; for privateuseone a package is missing.
    for device in ("cuda:99", "abacus", "meta", "mps", "xla", "privateuseone", "lazy"):
        with pytest.raises(ValueError, match=f"device '{device}' cannot be used: ") as raised:
            open_engine(settings(device=device))
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("metric", "sign"), [("test_mse", 1), ("test_r2", -1)])
def test_a_low_loss_of_a_pruned_trial_is_good_whatever_the_metric(
    dataset: Dataset, tmp_path: Path, metric: Any, sign: int
) -> None:
    of = settings(metric=metric, prune="on")
    study = Study(of)
    study.archive_in(Archive("sqlite:///study.db", tmp_path), "mine")
    pairs = [pair for batch in search(dataset, of).run(study, LocalEngine(), {}) for pair in batch]
    kept = optuna.load_study(study_name="mine", storage=f"sqlite:///{tmp_path}/study.db")
    for trial, (_, outcome) in zip(kept.trials, pairs, strict=True):
        if outcome.end == "pruned":
            loss = sign * float(outcome.curve[-1])
            assert trial.intermediate_values == {outcome.epochs: pytest.approx(loss)}


def test_long_trainings_share_smaller_batches(dataset: Dataset) -> None:
    def size(space: str, epochs: int) -> int:
        base = TrainingSettings(epochs=epochs)
        of = SweepSettings(space=space)
        return Search(of, dataset, DataSettings(), base, EvaluationSettings()).batch_size

    assert size("seed=0|1", 1000) == 256
    assert size("seed=0|1", 1_000_000) == 50
    assert size("epochs=10|5000000", 10) == 10
    assert size("epochs=log:10:10000000", 10) == 5


@pytest.mark.parametrize("sampler", get_args(SamplerName))
def test_what_is_known_stays_whatever_a_sampler_would_choose_now(
    dataset: Dataset, sampler: SamplerName
) -> None:
    """As another version of Optuna may: here it is another seed, or another grid."""
    first = found(dataset, settings(sampler))[:11]
    other = settings(sampler, sweep_seed=5)
    whole = found(dataset, other, known=first)
    assert asked(whole)[:11] == asked(first)
    assert [outcome for _, outcome in whole[:11]] == [outcome for _, outcome in first]
    assert len(whole) == other.count
