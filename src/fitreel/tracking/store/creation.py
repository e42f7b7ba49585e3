"""The creation of an object in a store: exactly one, even if an answer is late or lost.

What is created has a tag of our own. After a try that may have worked we look for the tag before we
try again, and again at the end: a server may do late what it was asked to do.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Generic, TypeVar

from mlflow.entities import Run as MlflowRun
from mlflow.environment_variables import MLFLOW_EXPERIMENT_ID, MLFLOW_EXPERIMENT_NAME
from mlflow.exceptions import MlflowException

from fitreel.journal.clock import now
from fitreel.journal.journal import Journal
from fitreel.journal.spool import Unavailable
from fitreel.tracking.names import JOURNAL_TAG, OWNER_TAG
from fitreel.tracking.packing import unpacked_if_readable
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import is_absent, is_refusal
from fitreel.tracking.store.database import is_database
from fitreel.tracking.store.ending import end
from fitreel.tracking.store.internals import context_tags

DOUBT = "doubt"  # the record of a journal whose run may have been created twice
DEFAULT_EXPERIMENT = "0"
Made = TypeVar("Made")


class Creation(Generic[Made]):
    """Create an object; call it again after an error."""

    def __init__(
        self,
        make: Callable[[], Made],
        find: Callable[[], Made | None],
        on_doubt: Callable[[], None] = lambda: None,
    ) -> None:
        """Store how to create it, how to find it, and what to call if a try may have worked."""
        self._make = make
        self._find = find
        self._on_doubt = on_doubt
        self.in_doubt = False

    def __call__(self) -> Made:
        """Create it, unless an earlier try did."""
        if self.in_doubt and (found := self._find()) is not None:
            return found
        try:
            return self._make()
        # An interruption, too: the request may be on its way already.
        except BaseException as error:
            if not (self.in_doubt or is_refusal(error) or is_absent(error)):
                self.in_doubt = True
                self._on_doubt()
            raise


def make_run(
    client: Client, journal: Journal, experiment_id: str, tags: Mapping[str, str], name: str | None
) -> MlflowRun:
    """Create the run of a journal, whose name is in its tags."""
    # Each try asks once: `patiently` below retries the creation, which looks for a run first.
    brief = client.without_patience()
    all_tags = context_tags() | dict(tags)
    creation = Creation(
        lambda: brief.create_run(experiment_id, now(), tags=all_tags, run_name=name),
        lambda: next(iter(runs_of(brief, journal, [experiment_id])), None),
        lambda: journal.append(DOUBT),
    )
    try:
        return client.patiently(creation)
    except Unavailable as error:
        if creation.in_doubt:
            raise Unavailable(
                f"{error}; if it created a run nevertheless, fitreel sync finds it"
            ) from error
        raise
    except Exception:
        # A transaction may be over although its end failed. A busy server would not answer this.
        if creation.in_doubt and is_database(client.tracking_uri):
            with suppress(Exception):
                for run in runs_of(brief, journal, [experiment_id]):
                    end(brief, run, "FAILED")
        raise


def is_in_doubt(journal: Journal) -> bool:
    """Return whether a journal's run may have been created twice."""
    return any(record["kind"] == DOUBT for _, record in journal.records())


def runs_of(client: Client, journal: Journal, experiment_ids: list[str]) -> list[MlflowRun]:
    """Return the runs that were created for a journal, always in the same order."""
    name = journal.directory.name
    # Since fitreel 0.4.0, and before.
    ways = f"tags.`{OWNER_TAG}` LIKE '%{name}%'", f"tags.`{JOURNAL_TAG}` = '{name}'"
    found = {run.info.run_id: run for way in ways for run in client.all_runs(experiment_ids, way)}
    # As LIKE reads it, an underscore is any character.
    ours = {
        run_id
        for run_id, run in found.items()
        if unpacked_if_readable(run.data.tags).get(JOURNAL_TAG) == name
    }
    return [found[run_id] for run_id in sorted(ours)]


def remove_extras(client: Client, runs: Iterable[MlflowRun]) -> None:
    """Remove runs that were created a second time; one with params or metrics stays."""
    for run in runs:
        # It is in use: better one run too many than a result lost.
        if run.data.params or run.data.metrics:
            continue
        end(client, run, "FAILED")
        client.delete_run(run.info.run_id)


def find_or_make_experiment(client: Client, name: str) -> str:
    """Return the id of an experiment; create it if it is missing."""
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
    """Return the experiment that MLflow's variables name, or the default one.

    mlflow.set_experiment() sets the variable, too. Raises ValueError if they name two.
    """
    name, named_id = MLFLOW_EXPERIMENT_NAME.get(), MLFLOW_EXPERIMENT_ID.get()  # type: ignore[no-untyped-call]
    if not named_id:
        return find_or_make_experiment(client, name) if name else DEFAULT_EXPERIMENT
    found = client.get_experiment(named_id)
    if name and found.name != name:
        raise ValueError(
            f"MLFLOW_EXPERIMENT_ID names experiment {named_id}, MLFLOW_EXPERIMENT_NAME another: "
            f"{name}; unset one of them"
        )
    return str(found.experiment_id)
