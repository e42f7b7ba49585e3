"""A stage runs once per run."""

import pytest

from fitreel.tracking import Run, Tracker
from pipeline.shared.stage import nothing, stage


@pytest.fixture
def calls() -> list[int]:
    return []


def test_a_stage_is_timed_and_returns_what_it_made(tracker: Tracker, calls: list[int]) -> None:
    @stage("generate", restore=lambda run: len(run.run_id))
    def work(run: Run, count: int) -> int:
        calls.append(count)
        assert not run.has_done("generate")
        return count

    with tracker.run() as run:
        assert work(run, 3) == 3
        assert 0 < run.metrics["system/generate_seconds"] < 10
        # As in a resumed command: the results that the stage logged are read again.
        assert work(run, 4) == len(run.run_id)
    assert calls == [3]


def test_a_failed_stage_is_not_done(tracker: Tracker, calls: list[int]) -> None:
    @stage("evaluate", restore=nothing)
    def work(run: Run) -> None:  # noqa: ARG001
        calls.append(len(calls))
        if len(calls) == 1:
            raise ValueError("no such points")

    with tracker.run() as run:
        with pytest.raises(ValueError, match="no such points"):
            work(run)
        work(run)
        work(run)
    assert calls == [0, 1]
