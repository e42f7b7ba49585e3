"""What the store has of a run: its tags as they are in code, and changes of what they pack."""

import json

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from fitreel.tracking.names import FACTS_TAG
from fitreel.tracking.packing import unpacked


def tags_of(run: Run) -> dict[str, str]:
    """Return the tags of a run, those unpacked that hold JSON."""
    return unpacked(run.data.tags)


def change_facts(store: MlflowClient, run_id: str, **changes: str | None) -> None:
    """Change some of the facts that a run's tag packs; None removes one."""
    found = json.loads(store.get_run(run_id).data.tags[FACTS_TAG]) | changes
    kept = {name: value for name, value in found.items() if value is not None}
    store.set_tag(run_id, FACTS_TAG, json.dumps(kept))


def as_in_0_3_0(store: MlflowClient, run_id: str, **more: str) -> None:
    """Set a tag for each fact in place of those that pack them, and more such tags."""
    run = store.get_run(run_id)
    for tag, text in unpacked(run.data.tags).items():
        if tag.startswith("fitreel."):
            store.set_tag(run_id, tag, text)
    for tag in ("fitreel.owner", "fitreel.facts", "fitreel.outcome"):
        if tag in run.data.tags:
            store.delete_tag(run_id, tag)
    for name, text in more.items():
        store.set_tag(run_id, f"fitreel.{name}", text)
