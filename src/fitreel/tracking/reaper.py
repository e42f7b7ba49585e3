"""The reaper: runs that say RUNNING though nobody is left to end them."""

import math
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields

from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_PROJECT_ENTRY_POINT

from fitreel.journal import spool
from fitreel.settings import (
    ComparisonSettings,
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    SweepSettings,
    TrainingSettings,
)
from fitreel.tracking.ending import end
from fitreel.tracking.names import HOST_TAG, MACHINE_TAG, PROCESS_TAG, REAPED_TAG, TRIAL_TAG
from fitreel.tracking.process import ahead, is_alive, silence
from fitreel.tracking.tracker import Tracker

SETTINGS = {
    "main": DataSettings,
    "generate": DataSettings,
    "train": TrainingSettings,
    "evaluate": EvaluationSettings,
    "animate": FilmSettings,
    "compare": ComparisonSettings,
    "sweep": SweepSettings,
}


MARKS = {PROCESS_TAG, TRIAL_TAG}  # tags of a run that fitreel writes


@dataclass(frozen=True)
class Verdict:
    """Hold what is known of a run that says RUNNING."""

    run_id: str
    name: str
    status: str | None  # how it is to be closed; None if it is not to be
    reason: str
    process: tuple[str | None, ...]  # which it was judged by, as its tags name it


def examine(tracker: Tracker, older_than: float) -> Iterator[Verdict]:
    """Judge all of fitreel's runs that say RUNNING.

    A run of this machine is dead when its process is. One of another machine is given up when
    nothing was heard of it for ``older_than`` seconds, one that never began when it is as old.
    """
    client = tracker.client
    running = client.all_runs(client.experiment_ids(), "attributes.status = 'RUNNING'")
    # All pages first: to close a run moves those behind it.
    found = [run for run in running if MARKS & run.data.tags.keys() or _is_ours(run)]
    waiting = {entry.run_id: entry for entry in spool.entries()}
    for run in found:
        writer = _writer(tracker, run)
        status, reason = _judge(writer, older_than, waiting.get(writer.info.run_id))
        name = run.info.run_name or run.info.run_id
        yield Verdict(run.info.run_id, name, status, reason, _process(run))


def _writer(tracker: Tracker, run: MlflowRun) -> MlflowRun:
    """Give the run whose process writes this one: a trial's sweep, else the run itself."""
    if TRIAL_TAG not in run.data.tags:
        return run
    with suppress(MlflowException):  # deleted for good
        return tracker.client.get_run(run.data.tags.get(MLFLOW_PARENT_RUN_ID, ""))
    return run


def _process(run: MlflowRun) -> tuple[str | None, ...]:
    """Name the process that writes a run: on two machines one number may start at one tick."""
    return run.data.tags.get(MACHINE_TAG), run.data.tags.get(PROCESS_TAG)


def _is_ours(run: MlflowRun) -> bool:
    """Tell whether `mlflow run` made it of our project: it logs all params of an entry point."""
    settings = SETTINGS.get(run.data.tags.get(MLFLOW_PROJECT_ENTRY_POINT, ""))
    return (
        settings is not None and {each.name for each in fields(settings)} <= run.data.params.keys()
    )


def _judge(run: MlflowRun, older_than: float, entry: spool.Entry | None) -> tuple[str | None, str]:
    tags = run.data.tags
    if PROCESS_TAG not in tags:
        age = time.time() - run.info.start_time / 1000
        if age < older_than:
            return None, f"not begun yet; given up when {_span(older_than)} old"
        return "FAILED", f"never began, in {_span(age)}"
    where = f"process {tags[PROCESS_TAG].partition(' ')[0]} on {tags.get(HOST_TAG, '?')}"
    alive = is_alive(tags)
    if alive:
        return None, f"{where} lives"
    if alive is None and silence(tags) < older_than:
        wrong = f", by a clock that is {_span(early)} ahead" if (early := ahead(tags)) > 1 else ""
        return None, f"{where} was heard of {_span(silence(tags))} ago{wrong}"
    if entry and entry.status:
        return None, f"{where} is over, but not delivered: fitreel sync"
    reason = f"{where} is dead" if alive is False else f"{where}: {_silent(silence(tags))}"
    if entry and entry.plan:
        reason += f"; fitreel resume {run.info.run_id} goes on with it"
    return "KILLED", reason


def reap(tracker: Tracker, verdict: Verdict) -> bool:
    """Close a run that was found dead; tell whether it was closed.

    It is left if it ended or was gone on with since it was judged.
    """
    if not verdict.status:
        return False
    run = tracker.client.get_run(verdict.run_id)
    if (run.info.status, _process(run)) != ("RUNNING", verdict.process):
        return False
    tracker.client.set_tag(verdict.run_id, REAPED_TAG, verdict.reason)
    end(tracker.client, run, verdict.status)
    return True


def _silent(seconds: float) -> str:
    return f"silent for {_span(seconds)}" if seconds < math.inf else "never heard of"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
