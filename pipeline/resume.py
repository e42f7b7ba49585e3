"""resume: continue an interrupted command of a run."""

import functools
from collections.abc import Callable
from typing import Any

import fitreel.tracking
from fitreel.checks.urls import masked
from pipeline.animate import animate
from pipeline.evaluate import evaluate
from pipeline.generate import generate
from pipeline.run import run as run_all
from pipeline.shared import console
from pipeline.shared.options import ALL_STORES, JSON, PATIENCE, RESUMED, RUN_OR_ONLY, TRACKING_URI
from pipeline.shared.result import print_json
from pipeline.shared.session import Session, Target, resume_run
from pipeline.sweep import sweep
from pipeline.train import train

COMMANDS: dict[str, Callable[..., None]] = {
    "run": run_all,
    "generate": generate,
    "train": train,
    "evaluate": evaluate,
    "animate": animate,
    "sweep": sweep,
}


def resume(
    run: RUN_OR_ONLY = None,
    every: ALL_STORES = False,
    as_json: JSON = False,
    tracking_uri: TRACKING_URI = None,
    patience: PATIENCE = Target.patience,
) -> None:
    """Resume an interrupted run where it stopped; its results are those of an uninterrupted one.

    Without RUN, the only interrupted run of the store is resumed; several are listed.
    Finished stages are skipped; a training resumes from its last checkpoint.
    Example: fitreel resume RUN
    """
    named = run or only_interrupted(tracking_uri, every=every)
    if named:
        target = Target(tracking_uri=tracking_uri, patience=patience)
        resume_run(named, target, COMMANDS, as_json=as_json)
    elif as_json:
        print_json({"runs": []})


def only_interrupted(tracking_uri: str | None, *, every: bool) -> str | None:
    """Return the interrupted run of a store, or of all; None without one, which is printed.

    Raises ValueError if there are several, which are printed.
    """
    store = fitreel.tracking.store_uri(tracking_uri)
    found = fitreel.tracking.interrupted_runs(None if every else store)
    if len(found) == 1:
        return next(iter(found))
    for run_id, origin in found.items():
        console.say(f"{run_id} {origin}")
    if found:
        raise ValueError(f"{len(found)} runs are interrupted; name one: fitreel resume RUN")
    console.say(f"nothing to resume in {'any store' if every else masked(store)}")
    if not every and (others := len(fitreel.tracking.interrupted_runs())):
        console.say(f"{others} interrupted in other stores: fitreel resume --all")
    return None


def or_resume(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose option ``--resume RUN`` is a spelling of ``fitreel resume RUN``."""

    @functools.wraps(command)
    def either(*, session: Session, resume: RESUMED = None, **settings: Any) -> None:
        if resume:
            resume_run(resume, session.target, COMMANDS, as_json=session.as_json)
        else:
            command(**settings, session=session)

    # Options are made of annotations; functools.wraps has copied those of the command.
    either.__annotations__ = command.__annotations__ | {"resume": RESUMED}
    return either
