"""The end of a run in the store: its status and its time."""

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from fitreel.journal.clock import now


def end(client: MlflowClient, run: Run, status: str, when: int | None = None) -> None:
    """Close a run with a status; ``when`` is in milliseconds since 1970, by default now.

    The start may be later than that: it was read from a clock that was ahead.
    """
    client.set_terminated(run.info.run_id, status, max(when or now(), run.info.start_time or 0))
