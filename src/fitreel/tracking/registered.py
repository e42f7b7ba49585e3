"""The registered models: found by their URI, and read as a network."""

import re
from pathlib import Path

from mlflow.entities import LoggedModel
from mlflow.exceptions import MlflowException

from fitreel.checks.files import check_size
from fitreel.checks.text import shown
from fitreel.checks.urls import scrubbed
from fitreel.journal.spool import scratch
from fitreel.tracking.delivery.model_files import WEIGHTS
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import plain_errors
from fitreel.tracking.store.limits import request_limit, transfer
from fitreel.training.files import LARGEST_WEIGHTS
from fitreel.training.predictor import Predictor

# models:/NAME@ALIAS, models:/NAME/VERSION, or models:/m-ID of a model that is not registered.
URI = re.compile(
    r"models:/(?:(?P<id>m-[0-9a-f]+)|(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+)))"
)


def read_model(client: Client, uri: str) -> Predictor:
    """Read the network of a model; ValueError if it is missing, or not one of fitreel's."""
    seen = shown(uri)
    if (match := URI.fullmatch(uri)) is None:
        raise ValueError(f"'{seen}' is not a model; write models:/NAME@ALIAS or models:/NAME/1")
    with plain_errors(client.tracking_uri):
        try:
            model_id = match["id"] or _model_id(client, match)
        except MlflowException as error:
            raise ValueError(f"{seen}: {scrubbed(str(error.message), uri)}") from error
        if not model_id:
            raise ValueError(f"{seen} was not logged by fitreel")
        return read_logged(client, client.get_logged_model(model_id), seen)


def _model_id(client: Client, match: "re.Match[str]") -> str | None:
    name, alias = match["name"], match["alias"]
    version = (
        client.get_model_version_by_alias(name, alias)
        if alias
        else client.get_model_version(name, match["version"])
    )
    # Not every store keeps the id by itself.
    source = URI.fullmatch(version.source or "")
    return version.model_id or (source and source["id"])


def read_logged(client: Client, model: LoggedModel, seen: str) -> Predictor:
    """Read the network of a logged model; ``seen`` is how errors call it."""
    repository = client.repository(model.artifact_location)
    files = {each.path: each.file_size or 0 for each in repository.list_artifacts("artifacts")}
    if WEIGHTS not in files:
        raise ValueError(f"{seen} was not logged by fitreel: it has no {WEIGHTS}")
    check_size(WEIGHTS, files[WEIGHTS], LARGEST_WEIGHTS)
    with scratch() as folder, request_limit.allowing(transfer(files[WEIGHTS])):
        path = repository.download_artifacts(WEIGHTS, str(folder))
        return Predictor.load(Path(path))
