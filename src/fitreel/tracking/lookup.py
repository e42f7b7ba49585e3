"""The lookup of a run as people name it: its id, the start of its id, its name, or latest."""

from collections.abc import Callable, Iterator, Sequence

from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException

from fitreel.checks.text import is_run_id, shown
from fitreel.tracking.names import KIND_TAG, TRIAL_TAG, VERSION_TAG
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.connection import is_refusal

LATEST = "latest"
SHORTEST_START = 4  # characters of an id
CANDIDATES = 5  # that are listed if a text names several runs


def find_run(
    client: Client, text: str, home: Callable[[], str], *, besides: str | None = None
) -> MlflowRun | None:
    """Return the run that a text names, None if it is missing.

    If several runs fit, one that is alone in its experiment ``home`` is meant; else ValueError is
    raised. ``latest`` is the newest run that is neither a trial nor a comparison, ``besides`` a run
    that it is not: the one that `mlflow run` just created.
    """
    if (run := _by_id(client, text)) is not None:
        return run
    experiments = client.experiment_ids()
    if text == LATEST:
        return next(_newest(client, experiments, besides), None)
    found = _first_candidates(client, experiments, text)
    if len(found) > 1:
        found = _first_candidates(client, [home()], text) or found
    if len(found) > 1:
        raise ValueError(_ambiguous(text, found))
    return found[0] if found else None


def _by_id(client: Client, text: str) -> MlflowRun | None:
    if not is_run_id(text):
        return None
    try:
        return client.get_run(text)
    except MlflowException as error:
        if not is_refusal(error):
            raise
        return None


def _newest(client: Client, experiments: Sequence[str], besides: str | None) -> Iterator[MlflowRun]:
    for run in client.newest_runs(experiments):
        tags = run.data.tags
        is_ours = VERSION_TAG in tags and TRIAL_TAG not in tags
        if is_ours and tags.get(KIND_TAG) != "comparison" and run.info.run_id != besides:
            yield run


def _first_candidates(client: Client, experiments: Sequence[str], text: str) -> list[MlflowRun]:
    found = dict[str, MlflowRun]()  # by id: a run's name may be the start of its id
    for run in _candidates(client, experiments, text):
        found[run.info.run_id] = run
        if len(found) > CANDIDATES:
            break
    return list(found.values())


def _candidates(client: Client, experiments: Sequence[str], text: str) -> Iterator[MlflowRun]:
    # A % or _ in the text of LIKE would fit anything, so that ids have letters and digits only.
    if len(text) >= SHORTEST_START and text.isalnum():
        yield from client.newest_runs(experiments, f"attributes.run_id LIKE '{text}%'")
    # MLflow's filters have no escape: a name with both kinds of quotes cannot be searched for.
    quote = "'" if "'" not in text else '"'
    if quote not in text:
        name = f"attributes.run_name = {quote}{text}{quote}"
        yield from client.newest_runs(experiments, name)


def _ambiguous(text: str, found: Sequence[MlflowRun]) -> str:
    listed = [f"{run.info.run_id} ({shown(run.info.run_name or '')})" for run in found]
    more = ", …" if len(found) > CANDIDATES else ""
    return f"'{shown(text)}' names several runs: {', '.join(listed[:CANDIDATES])}{more}"
