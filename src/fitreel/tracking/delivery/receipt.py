"""The receipt: whether a server has what it confirmed.

A server, or what is on the way to it, may answer that all is well and do nothing. So the run is
read once more before it ends.
"""

from collections.abc import Iterable

from mlflow.entities import Run

from fitreel.journal.records import Record
from fitreel.tracking.delivery.values import METRICS_OF, Stored
from fitreel.tracking.store.client import Client

MOST_POINTS = 25_000  # of curves, which are read to be compared: one answer of MLflow's has as many


def lacks(client: Client, run_id: str, records: Iterable[Record]) -> bool:
    """Return whether a run lacks something of these records.

    What has another value is not missing: people change tags. Files are checked when they are
    uploaded.
    """
    run, stored = client.get_run(run_id), Stored(client, run_id)
    points = 0
    for record in records:
        if record["kind"] in METRICS_OF:
            points += record["count"]
            curve = METRICS_OF[record["kind"]](record) if points <= MOST_POINTS else ()
            if any(map(stored.lacks, curve)):
                return True
        elif _lacks(run, record):
            return True
    return False


def _lacks(run: Run, record: Record) -> bool:
    """Return whether a run lacks something of a record that it shows itself."""
    if record["kind"] == "values":
        return lacks_names(run, record, "params", "metrics", "tags")
    if record["kind"] == "dataset":
        return not (run.inputs and run.inputs.dataset_inputs)
    return record["kind"] == "model" and not (run.outputs and run.outputs.model_outputs)


def lacks_names(run: Run, record: Record, *kinds: str) -> bool:
    """Return whether a run lacks a name that a record has among its params, metrics or tags."""
    return any(record.get(kind, {}).keys() - getattr(run.data, kind).keys() for kind in kinds)
