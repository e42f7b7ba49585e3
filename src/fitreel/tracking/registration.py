"""The registration: a run's model becomes a version of a registered one, its champion if better.

All may be done twice: each step finds what an earlier try did.
"""

import pyarrow
from mlflow.exceptions import MlflowException

from fitreel.data.dataset import Rows
from fitreel.data.decoding import decode
from fitreel.data.drawing import generate_unseen
from fitreel.data.schema import Schema
from fitreel.data.table.encoding import encode
from fitreel.settings import EvaluationSettings
from fitreel.tracking.names import MODEL, REGISTERED_TAG
from fitreel.tracking.registered import read_model
from fitreel.tracking.source import Source
from fitreel.tracking.store.client import Client
from fitreel.training.predictor import Predictor
from fitreel.training.scores import network_error

CHAMPION, CHALLENGER = "champion", "challenger"


def register(client: Client, run_id: str, name: str) -> None:
    """Register the model of a run, and compare it with the champion on the run's test rows.

    The alias champion moves to it if it is better, or if there was none; else it is the challenger.
    A tag of the version says why.
    """
    version, _ = _version(client, run_id, name)
    # Read again after each comparison: somebody else may have moved the alias while it lasted.
    champion, alias, why = _champion(client, name), CHALLENGER, ""
    while not why or _champion(client, name) != champion:
        champion = _champion(client, name)
        if champion is None:
            alias, why = CHAMPION, "champion: there was none"
        elif champion == version:  # an earlier try has moved the alias
            return
        else:
            alias, why = _compared(client, run_id, name, champion)
    client.set_model_version_tag(name, version, REGISTERED_TAG, why)
    client.set_registered_model_alias(name, alias, version)


def registered(client: Client, run_id: str, name: str) -> str:
    """Return what became of the model of a run that was registered."""
    version, why = _version(client, run_id, name)
    return f"registered {name} version {version}, {why}"


def _version(client: Client, run_id: str, name: str) -> tuple[str, str]:
    """Return the version that is the model of a run, created if it is missing, and its tag."""
    run = client.get_run(run_id)
    wanted = f"source_run_id = '{run_id}' AND name = '{MODEL}'"
    models = client.search_logged_models([run.info.experiment_id], wanted)
    if not models:
        raise ValueError(f"run {run_id} has no model to register")
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for found in client.search_model_versions(f"name = '{name}' AND run_id = '{run_id}'"):
        return str(found.version), found.tags.get(REGISTERED_TAG, "")
    model_id = min(model.model_id for model in models)
    created = client.create_model_version(name, f"models:/{model_id}", run_id, model_id=model_id)
    return str(created.version), ""


def _champion(client: Client, name: str) -> str | None:
    """Return the version that is the champion now."""
    found = client.get_registered_model(name).aliases.get(CHAMPION)
    return None if found is None else str(found)


def _compared(client: Client, run_id: str, name: str, champion: str) -> tuple[str, str]:
    """Return the alias that the model of a run deserves, and why."""
    try:
        source = Source(client, run_id)
        own, rows = source.predictor(), _test_rows(source)
        other = read_model(client, f"models:/{name}/{champion}")
        errors = [network_error(own.weights, rows), error_of(other, own.schema, rows)]
    except (ValueError, FileNotFoundError) as error:
        return CHALLENGER, f"challenger: not compared with version {champion}, {error}"
    kind = "log loss" if own.schema.classes else "rmse"
    text = f"{kind} {errors[0]:.4g} on its test rows, version {champion} has {errors[1]:.4g}"
    alias = CHAMPION if errors[0] < errors[1] else CHALLENGER
    return alias, f"{alias}: {text}"


def _test_rows(source: Source) -> Rows:
    dataset, drawn = source.dataset(), source.data_settings()
    if dataset.test:
        return dataset.test
    if drawn is None:
        raise ValueError(f"run {source.run_id} has no test rows")
    unseen = generate_unseen(drawn, EvaluationSettings.test_samples)
    return Rows(unseen.inputs, unseen.y)


def error_of(predictor: Predictor, schema: Schema, rows: Rows) -> float:
    """Return the error of a network on rows of another schema; ValueError if they do not fit it."""
    other = predictor.schema
    if (other.target, sorted(other.classes)) != (schema.target, sorted(schema.classes)):
        raise ValueError(f"it predicts '{other.target}' with other classes, or another column")
    if lacking := {each.name for each in other.columns} - {each.name for each in schema.columns}:
        raise ValueError(f"it needs the column '{min(lacking)}'")
    table = pyarrow.table(decode(schema, rows.inputs.numpy()))
    y = rows.y
    if schema.classes:
        y = y.new_tensor([other.classes.index(each) for each in schema.classes])[y]
    return network_error(predictor.weights, Rows(encode(other, table), y))
