"""resume: go on with an interrupted run."""

from collections.abc import Callable
from typing import get_type_hints

import fitreel
from pipeline import console
from pipeline.animate import animate
from pipeline.evaluate import evaluate
from pipeline.generate import generate
from pipeline.options import PATIENCE, RUN, TRACKING_URI
from pipeline.run import run as run_all
from pipeline.session import Session, Target
from pipeline.train import train

COMMANDS: dict[str, Callable[..., None]] = {
    "run": run_all,
    "generate": generate,
    "train": train,
    "evaluate": evaluate,
    "animate": animate,
}


def resume(
    run: RUN,
    tracking_uri: TRACKING_URI = None,
    patience: PATIENCE = Target.patience,
) -> None:
    """Go on with an interrupted run where it stood, as if nothing had happened.

    Stages that were done are not done again; a training goes on from its last checkpoint.
    Example: fitreel resume RUN
    """
    target = Target(tracking_uri=tracking_uri, patience=patience)
    found = False
    for interrupted in fitreel.interrupted(run, target.tracking_uri):
        found = True
        plan = interrupted.plan
        command = COMMANDS[plan["command"]]
        kinds = get_type_hints(command)
        try:
            settings = {name: kinds[name](**values) for name, values in plan["settings"].items()}
        except (KeyError, TypeError):
            raise ValueError(f"run {run} was begun by another version of fitreel") from None
        console.say(f"going on with fitreel {plan['command']}")
        target = Target(tracking_uri=interrupted.uri, patience=patience)
        command(**settings, session=Session(target, plan, interrupted))
    if not found:
        console.say(f"run {run} is finished")
        print(run)
