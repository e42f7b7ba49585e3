"""The end of a run in the store, which is never before its start."""

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from fitreel.journal.clock import now


def end(client: MlflowClient, run: Run, status: str, when: int | None = None) -> None:
    """End a run with a status at ``when``, in milliseconds since 1970; the default is now.

    The clock that its start was read from may have been ahead, of this machine's or another's.
    """
    client.set_terminated(run.info.run_id, status, max(when or now(), run.info.start_time or 0))
