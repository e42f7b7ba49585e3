"""Creation: one object in the store for each that is wanted, even if an answer is late or lost.

What is made carries a tag of our own. After a try that may have worked we look for the tag before
we try again, and at the end once more: a server may do late what it was asked.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from mlflow.entities import Run as MlflowRun
from mlflow.environment_variables import MLFLOW_EXPERIMENT_ID, MLFLOW_EXPERIMENT_NAME
from mlflow.exceptions import MlflowException
from mlflow.tracking.context.git_context import GitRunContext
from mlflow.tracking.context.registry import resolve_tags
from mlflow.tracking.fluent import _get_experiment_id

from fitreel.journal.clock import now
from fitreel.journal.journal import Journal
from fitreel.journal.spool import Unavailable
from fitreel.tracking.client import Client
from fitreel.tracking.connection import WrongAnswer, is_absent, is_refusal
from fitreel.tracking.ending import end
from fitreel.tracking.names import JOURNAL_TAG

DOUBT = "doubt"  # the record of a journal whose run may have been made twice
Made = TypeVar("Made")


class Creation(Generic[Made]):
    """Make an object; call it again after an error."""

    def __init__(
        self,
        make: Callable[[], Made],
        find: Callable[[], Made | None],
        on_doubt: Callable[[], None] = lambda: None,
    ) -> None:
        """Take how to make one and how to find it; ``on_doubt`` hears if a try may have worked."""
        self._make = make
        self._find = find
        self._on_doubt = on_doubt
        self.in_doubt = False

    def __call__(self) -> Made:
        """Make it, unless an earlier try did."""
        if self.in_doubt and (found := self._find()) is not None:
            return found
        try:
            return self._make()
        except BaseException as error:
            if not (self.in_doubt or is_refusal(error) or is_absent(error)):
                self.in_doubt = True
                self._on_doubt()
            raise


def make_run(
    client: Client, journal: Journal, experiment_id: str, tags: Mapping[str, str], name: str | None
) -> MlflowRun:
    """Make the run of a journal, whose name is in its tags."""
    brief = client.without_patience()
    # MLflow's own provider of git's commit takes 40 ms to be imported.
    resolved = resolve_tags(dict(tags), ignore=[GitRunContext])  # type: ignore[list-item]
    creation = Creation(
        lambda: brief.create_run(experiment_id, now(), tags=resolved, run_name=name),
        lambda: next(iter(runs_of(brief, journal, [experiment_id])), None),
        lambda: journal.append(DOUBT),
    )
    try:
        return client.patiently(creation)
    except Unavailable as error:
        if creation.in_doubt:
            raise Unavailable(
                f"{error}; if it made a run all the same, fitreel sync finds it"
            ) from error
        raise


def is_in_doubt(journal: Journal) -> bool:
    """Tell whether a journal's run may have been made twice."""
    return any(record["kind"] == DOUBT for _, record in journal.records())


def runs_of(client: Client, journal: Journal, experiment_ids: list[str]) -> list[MlflowRun]:
    """Find the runs that were made for a journal, in an order that stays."""
    wanted = f"tags.`{JOURNAL_TAG}` = '{journal.directory.name}'"
    found = client.all_runs(experiment_ids, wanted)
    return sorted(found, key=lambda run: run.info.run_id)


def remove_extras(client: Client, runs: Iterable[MlflowRun]) -> None:
    """Remove runs that were made a second time; one that something was logged to stays."""
    for run in runs:
        if run.data.params or run.data.metrics:
            continue
        end(client, run, "FAILED")
        client.delete_run(run.info.run_id)


def find_or_make_experiment(client: Client, name: str) -> str:
    """Give the id of an experiment; make it if it is missing."""
    brief = client.without_patience()

    def attempt() -> str:
        if found := brief.get_experiment_by_name(name):
            return str(found.experiment_id)
        try:
            return brief.create_experiment(name)
        except MlflowException:  # another process was first, or the answer was lost
            if found := brief.get_experiment_by_name(name):
                return str(found.experiment_id)
            raise

    return client.patiently(attempt)


def default_experiment_id(client: Client) -> str:
    """Say where MLflow lets a new run go if nobody names an experiment."""
    name, named_id = MLFLOW_EXPERIMENT_NAME.get(), MLFLOW_EXPERIMENT_ID.get()  # type: ignore[no-untyped-call]
    if name and not named_id:
        return find_or_make_experiment(client, name)

    def attempt() -> str:
        found = _get_experiment_id() or "0"
        if named_id and found == "0" != named_id:  # MLflow took an empty answer for none
            raise WrongAnswer(f"the store's answer lacks the experiment {named_id}")
        return found

    return client.patiently(attempt)
