"""resume: continue an interrupted command of a run."""

import functools
from collections.abc import Callable
from typing import Any

from pipeline.animate import animate
from pipeline.evaluate import evaluate
from pipeline.generate import generate
from pipeline.run import run as run_all
from pipeline.shared.options import PATIENCE, RESUMED, RUN, TRACKING_URI
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
    run: RUN,
    tracking_uri: TRACKING_URI = None,
    patience: PATIENCE = Target.patience,
) -> None:
    """Resume an interrupted run where it stopped; its results are those of an uninterrupted one.

    Finished stages are skipped; a training resumes from its last checkpoint.
    Example: fitreel resume RUN
    """
    resume_run(run, Target(tracking_uri=tracking_uri, patience=patience), COMMANDS)


def or_resume(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose option ``--resume RUN`` is a spelling of ``fitreel resume RUN``."""

    @functools.wraps(command)
    def either(*, session: Session, resume: RESUMED = None, **settings: Any) -> None:
        if resume:
            resume_run(resume, session.target, COMMANDS)
        else:
            command(**settings, session=session)

    # Options are made of annotations; functools.wraps has copied those of the command.
    either.__annotations__ = command.__annotations__ | {"resume": RESUMED}
    return either
