"""The clock may be changed during a run: nothing ends before it started."""

import time
from typing import Any

import pytest

from fitreel.data.dataset import Dataset
from fitreel.journal.clock import CLOCK, now
from fitreel.settings import DataSettings, EvaluationSettings, TrainingSettings
from fitreel.sweep.rounds import Round
from fitreel.sweep.trials import Trial
from fitreel.tracking import Run, Tracker, examine, reap
from fitreel.tracking.names import PROCESS_TAG
from fitreel.tracking.process import TICKS, process_tags
from fitreel.training.loop import fit
from fitreel.training.many import fit_many
from fitreel.training.members import Trained
from fitreel.training.state import Training

HOUR = 3600


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    monkeypatch.setattr(CLOCK, "_ahead", CLOCK._ahead)  # so that the patch restores it
    return Clock(monkeypatch)


class Clock:
    """The wall clock of this process, which a test can change."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seconds = 0
        wall, nanoseconds = time.time, time.time_ns
        patch.setattr("time.time", lambda: wall() + self.seconds)
        patch.setattr("time.time_ns", lambda: nanoseconds() + self.seconds * 10**9)

    def move(self, seconds: int) -> None:
        """Move the clock forward, or back if negative."""
        self.seconds += seconds


def test_now_follows_the_wall_clock_but_never_goes_back(clock: Clock) -> None:
    assert abs(now() - time.time() * 1000) < 1000
    clock.move(HOUR)
    assert abs(now() - time.time() * 1000) < 1000
    before = now()
    clock.move(-2 * HOUR)
    assert before <= now() < before + 1000
    time.sleep(0.05)
    assert now() >= before + 50


def duration(tracker: Tracker, run_id: str) -> int:
    """Return the milliseconds from the start of a run to its end."""
    info = tracker.client.get_run(run_id).info
    assert info.end_time is not None
    return int(info.end_time - info.start_time)


@pytest.mark.parametrize("error", [None, ZeroDivisionError, KeyboardInterrupt])
def test_a_run_ends_after_it_started(
    tracker: Tracker, dataset: Dataset, clock: Clock, error: type[BaseException] | None
) -> None:
    settings = TrainingSettings(epochs=40)

    def train(run: Run) -> None:
        checkpoints = run.checkpoints(settings, every=10)

        def on_epoch(epoch: int, _: float, training: Training) -> None:
            checkpoints.on_epoch(epoch, training)
            if epoch == 25:
                clock.move(-HOUR)

        with checkpoints.keeping():
            fit(dataset, settings, on_epoch)
        if error:
            raise error

    run_id = ""
    try:
        with tracker.run() as run:
            run_id = run.run_id
            train(run)
    except (ZeroDivisionError, KeyboardInterrupt):
        pass
    assert 0 <= duration(tracker, run_id) < 60_000
    points = tracker.client.get_metric_history(run_id, "loss")
    times = [point.timestamp for point in points]
    assert len(times) == 40
    assert times == sorted(times)
    assert times[-1] - times[0] < 60_000


def test_a_run_that_another_process_started_ends_after_its_start(tracker: Tracker) -> None:
    """The clock was ahead then: it was corrected since, or belongs to another machine."""
    with tracker.run() as run:
        pass
    started = tracker.client.create_run("0", int(time.time() * 1000) + HOUR * 1000).info.run_id
    with tracker.run(tracker.source(started)) as run:
        assert run.run_id == started
    assert duration(tracker, started) == 0
    tags = process_tags() | {PROCESS_TAG: f"999999999 started 1 {TICKS}"}
    dead = tracker.client.create_run("0", int(time.time() * 1000) + HOUR * 1000, tags).info.run_id
    (verdict,) = examine(tracker, HOUR)
    assert reap(tracker, verdict)
    assert duration(tracker, dead) == 0


def test_a_trial_ends_after_it_started(
    dataset: Dataset, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move_the_clock_and_fit(*arguments: Any, **options: Any) -> list[Trained]:
        clock.move(-HOUR)
        return fit_many(*arguments, **options)

    monkeypatch.setattr("fitreel.sweep.rounds.fit_many", move_the_clock_and_fit)
    trial = Trial(0, TrainingSettings(epochs=3), log_every=1)
    trained = Round(dataset, DataSettings(), EvaluationSettings(), [trial], prune=False)
    (outcome,) = trained.train()
    start, end = outcome.times
    assert 0 <= end - start < 60_000
