"""The model of a run in MLflow: created, filled and marked as ready, once.

mlflow.pyfunc.log_model would create a new one each time it is tried. So the steps are taken with
MLflow's client: each finds what an earlier try did. Measured here: the format pt2 took 2.9 s to log
and needs torch to load; code and safetensors take 0.1 s and serve without torch.
"""

from collections.abc import Collection
from pathlib import Path

from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
from mlflow.models import Model

from fitreel.journal.spool import scratch
from fitreel.tracking.delivery.model_files import save_model
from fitreel.tracking.names import MODEL
from fitreel.tracking.store.client import Client


def log_model(client: Client, run_id: str, weights: Path) -> None:
    """Log a file of weights as a model that mlflow.pyfunc loads."""
    run = client.get_run(run_id)
    home, outputs = run.info.experiment_id, _outputs(run)
    created = _models(client, run_id, home, outputs)
    model = (
        created[0]
        if created
        else client.create_logged_model(home, MODEL, run_id, params=run.data.params)
    )
    if model.model_id not in outputs:  # an earlier try may have come further
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    with scratch() as folder:
        described = Model(MODEL, run_id, model_uuid=model.model_id, model_id=model.model_id)
        save_model(weights, folder / "model", described)
        client.upload_model(model, folder / "model")
    # Last: a model that says READY is complete.
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def remove_extra_models(client: Client, run: Run) -> None:
    """Remove models that a server created late, after it was asked for the same again."""
    found = _models(client, run.info.run_id, run.info.experiment_id, _outputs(run))
    for extra in found[1:]:
        client.delete_logged_model(extra.model_id)


def _models(
    client: Client, run_id: str, experiment_id: str, first: Collection[str]
) -> list[LoggedModel]:
    """Return the models of a run, those with these ids before the others."""
    wanted = f"source_run_id = '{run_id}' AND name = '{MODEL}'"
    found = client.search_logged_models([experiment_id], wanted)
    # The first stays: one that the run names as its output, else always the same one.
    return sorted(found, key=lambda each: (each.model_id not in first, each.model_id))


def _outputs(run: Run) -> set[str]:
    """Return the ids of the models that a run has as its outputs."""
    return {output.model_id for output in (run.outputs.model_outputs if run.outputs else [])}
