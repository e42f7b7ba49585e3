"""The completion of runs in a shell: what can be typed to name one."""

import os
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import sqlalchemy

from fitreel.checks.databases import read_url
from fitreel.tracking.delivery.tables import RUNS, TAGS
from fitreel.tracking.names import TRIAL_TAG

MOST = 200  # of the newest runs
DEFAULT = "sqlite:///mlflow.db"  # MLflow's own
Named: TypeAlias = tuple[str, str]  # id and name


def complete_run(tracking_uri: str | None, start: str) -> list[str]:
    """Return the names of runs that begin with a text; an id where a name fits several runs."""
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT
    try:
        runs = _from_tables(uri)
    except (ValueError, sqlalchemy.exc.SQLAlchemyError):
        runs = _from_client(uri)
    count = Counter(name for _, name in runs)
    texts = ["latest", *(name for _, name in runs if count[name] == 1)]
    # Nobody chooses among ids: all of them are offered only once something is typed.
    unusable = {name for name in count if count[name] > 1 or not is_one_word(name)}
    texts += [run_id for run_id, name in runs if start or name in unusable]
    return [text for text in dict.fromkeys(texts) if text.startswith(start) and is_one_word(text)]


def is_one_word(name: str) -> bool:
    """Return whether a shell takes a text as it is."""
    return shlex.quote(name) == name


def _from_tables(uri: str) -> Sequence[Named]:
    # The client answers after 2 s, of which nearly all are its import; who presses Tab waits.
    file = Path(read_url(uri).database or "")
    if not uri.startswith("sqlite:") or not file.is_file():
        raise ValueError(f"{uri} is not a file of SQLite")
    trials = sqlalchemy.select(TAGS.c.run_uuid).where(TAGS.c.key == TRIAL_TAG)
    newest = (
        sqlalchemy.select(RUNS.c.run_uuid, RUNS.c.name)
        .where(RUNS.c.lifecycle_stage == "active", RUNS.c.run_uuid.not_in(trials))
        .order_by(RUNS.c.start_time.desc())
        .limit(MOST)
    )
    # Only to read: another process may be writing.
    engine = sqlalchemy.create_engine(f"sqlite:///file:{file.absolute()}?mode=ro&uri=true")
    with engine.connect() as connection:
        return [(str(run_id), str(name)) for run_id, name in connection.execute(newest)]


def _from_client(uri: str) -> Sequence[Named]:
    from fitreel.tracking.listing import newest_runs
    from fitreel.tracking.tracker import Tracker

    tracker = Tracker(uri, may_create=False)
    return [(run.run_id, run.name) for run in newest_runs(tracker, None, MOST)]
