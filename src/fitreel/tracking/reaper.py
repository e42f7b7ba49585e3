"""The reaper: runs that say RUNNING although their process died."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_PROJECT_ENTRY_POINT

from fitreel.journal import spool
from fitreel.journal.entry import Entry
from fitreel.settings import (
    ComparisonSettings,
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    SweepSettings,
    TrainingSettings,
)
from fitreel.tracking.names import (
    HOST_TAG,
    JOURNAL_TAG,
    MACHINE_TAG,
    PROCESS_TAG,
    REAPED_TAG,
    TRIAL_TAG,
)
from fitreel.tracking.packing import packed, unpacked_if_readable
from fitreel.tracking.process import ahead, is_alive, silence
from fitreel.tracking.store.ending import end
from fitreel.tracking.tracker import Tracker

# What each entry point of the project logs as params.
SETTINGS = {
    "main": DataSettings,
    "generate": DataSettings,
    "train": TrainingSettings,
    "evaluate": EvaluationSettings,
    "animate": FilmSettings,
    "compare": ComparisonSettings,
    "sweep": SweepSettings,
}
MARKS = {PROCESS_TAG, TRIAL_TAG}  # a run with one of these tags is fitreel's


@dataclass(frozen=True)
class Verdict:
    """What is known of a run that says RUNNING."""

    run_id: str
    name: str
    status: str | None  # to close it with; None to leave it
    reason: str
    process: tuple[str | None, ...]  # that writes it, as the tags name it
    journals: tuple[Path, ...] = ()  # of the run in the spool


def examine(tracker: Tracker, older_than: float) -> Iterator[Verdict]:
    """Judge all of fitreel's runs that say RUNNING.

    A run of this machine is dead when its process is. A run of another machine is given up after
    ``older_than`` seconds without a heartbeat, a run that never started once it is that old.
    """
    client = tracker.client
    running = client.all_runs(client.experiment_ids(), "attributes.status = 'RUNNING'")
    # Read all pages first: closing a run moves those behind it.
    found = [run for run in running if MARKS & _tags(run).keys() or _is_ours(run)]
    waiting = spool.entries()
    for run in found:
        yield judge(tracker, run, older_than, waiting)


def judge(tracker: Tracker, run: MlflowRun, older_than: float, waiting: Sequence[Entry]) -> Verdict:
    """Judge a run that says RUNNING; ``waiting`` is what is in the spool."""
    writer = _writer(tracker, run)
    entries = [entry for entry in waiting if entry.run_id == writer.info.run_id]
    status, reason = _judge(writer, older_than, entries)
    name = run.info.run_name or run.info.run_id
    # A process may die before it writes the run's id into its journal.
    kept = _tags(writer).get(JOURNAL_TAG)
    journals = tuple(e.directory for e in waiting if e in entries or e.directory.name == kept)
    return Verdict(run.info.run_id, name, status, reason, _process(run), journals)


def _writer(tracker: Tracker, run: MlflowRun) -> MlflowRun:
    """Return the run whose process writes this one: the sweep of a trial, else the run itself."""
    if TRIAL_TAG not in run.data.tags:
        return run
    with suppress(MlflowException):  # it was deleted permanently
        return tracker.client.get_run(run.data.tags.get(MLFLOW_PARENT_RUN_ID, ""))
    return run


def _process(run: MlflowRun) -> tuple[str | None, ...]:
    """Return machine and process of a run: two machines may have equal numbers and times."""
    tags = _tags(run)
    return tags.get(MACHINE_TAG), tags.get(PROCESS_TAG)


def _tags(run: MlflowRun) -> dict[str, str]:
    return unpacked_if_readable(run.data.tags)


def _is_ours(run: MlflowRun) -> bool:
    """Return whether `mlflow run` created it for our project: it has all params of a command."""
    settings = SETTINGS.get(run.data.tags.get(MLFLOW_PROJECT_ENTRY_POINT, ""))
    return (
        settings is not None and {each.name for each in fields(settings)} <= run.data.params.keys()
    )


def _judge(run: MlflowRun, older_than: float, entries: Sequence[Entry]) -> tuple[str | None, str]:
    tags = _tags(run)
    if PROCESS_TAG not in tags:
        age = time.time() - run.info.start_time / 1000
        if age < older_than:
            return None, f"not started yet; given up when {_span(older_than)} old"
        return "FAILED", f"not started within {_span(age)}"
    where = f"process {tags[PROCESS_TAG].partition(' ')[0]} on {tags.get(HOST_TAG, '?')}"
    alive = is_alive(tags)
    if alive:
        return None, f"{where} is alive"
    if alive is None and silence(tags) < older_than:
        wrong = f", by a clock that is {_span(early)} ahead" if (early := ahead(tags)) > 1 else ""
        return None, f"{where}: last heartbeat {_span(silence(tags))} ago{wrong}"
    if entries and entries[-1].status:  # of the command that wrote last
        return None, f"{where} ended, but its results are not uploaded: fitreel sync"
    reason = f"{where} is dead" if alive is False else f"{where}: {_silent(silence(tags))}"
    if any(not entry.is_over for entry in entries):
        reason += f"; resume it with: fitreel resume {run.info.run_id}"
    return "KILLED", reason


def reap(tracker: Tracker, verdict: Verdict) -> bool:
    """Close a run that was found dead; return whether it was closed.

    It is left alone if it ended or was resumed since it was judged.
    """
    if not verdict.status:
        return False
    # A process that resumes it has its journal long before the store names that process.
    with spool.claimed(verdict.journals) as is_free:
        if not is_free:
            return False
        # Read again: much may have happened since the list was read.
        run = tracker.client.get_run(verdict.run_id)
        if (run.info.status, _process(run)) != ("RUNNING", verdict.process):
            return False
        tags = _tags(run) | {REAPED_TAG: verdict.reason}
        for tag, text in packed([REAPED_TAG], tags).items():
            tracker.client.set_tag(verdict.run_id, tag, text)
        end(tracker.client, run, verdict.status)
        return True


def _silent(seconds: float) -> str:
    return f"silent for {_span(seconds)}" if seconds < math.inf else "without a heartbeat"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
