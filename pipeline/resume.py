"""resume: resume an interrupted run."""

from collections.abc import Callable

from pipeline.animate import animate
from pipeline.evaluate import evaluate
from pipeline.generate import generate
from pipeline.run import run as run_all
from pipeline.shared.options import PATIENCE, RUN, TRACKING_URI
from pipeline.shared.session import Target, resume_run
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
