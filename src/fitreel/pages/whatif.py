"""What if: the settings that a page trains again with, and the command that does the same."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, get_args

from fitreel.settings import ActivationName, DataSettings, Settings, TrainingSettings, range_text

VARIED = ("lr", "hidden", "seed", "activation")  # in the page; the order of its command
NOT_IN_PAGE = ("batch_size", "weight_decay", "patience_epochs")
OPTION, PARAM, KEYWORD = " --{name} {value}", " -P {name}={value}", ", {name}={value}"


def what_if(settings: Sequence[Settings], run_id: str = "") -> dict[str, Any] | None:
    """Return defaults, ranges and command of the settings that a page varies; None if unknown.

    ``run_id`` is a run that has the points of the page: its command trains on them again, where no
    settings draw them.
    """
    training = next((each for each in settings if isinstance(each, TrainingSettings)), None)
    # The page trains on all points at once, by squared errors, without decay and to the last epoch.
    if training is None or any(getattr(training, name) for name in NOT_IN_PAGE):
        return None
    if training.loss != TrainingSettings.loss:
        return None
    varied = {each.name: each for each in fields(TrainingSettings) if each.name in VARIED}
    return {
        "defaults": {name: varied[name].default for name in VARIED},
        "ranges": {name: _range(varied[name].metadata) for name in VARIED if name != "activation"},
        "activations": list(get_args(ActivationName)),
        "command": _command(settings, run_id),
    }


def _range(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return a setting's limits as JSON has them, None for no limit, and in words."""
    names = ("least", "most", "above")
    known = {name: limits[name] if math.isfinite(limits[name]) else None for name in names}
    return known | {"text": range_text(limits)}


def _command(settings: Sequence[Settings], run_id: str) -> dict[str, str]:
    """Return the parts of the command: the page puts its own options between start and end."""
    if any(isinstance(group, DataSettings) for group in settings):
        says, start, option = "As a tracked run:", "fitreel run", OPTION
    elif run_id:  # as in the run's note: fitreel run would draw other points
        says = "As a tracked run, on these points, which no settings draw:"
        start, option = f"mlflow run . -e train -P run={shlex.quote(run_id)}", PARAM
    else:
        says = "In Python, because these points belong to no run:"
        start, option = "fitreel.fit(dataset", KEYWORD
    changed = [
        (each.name, getattr(group, each.name))
        for group in settings
        for each in fields(group)  # type: ignore[arg-type]
        if each.name not in VARIED and getattr(group, each.name) != each.default
    ]
    end = "".join(_written(option, name, value) for name, value in changed)
    quote = '"' if option is KEYWORD else ""  # around texts
    end += ")" if option is KEYWORD else ""
    return {"says": says, "start": start, "option": option, "quote": quote, "end": end}


def _written(option: str, name: str, value: Any) -> str:
    name = name.replace("_", "-") if option is OPTION else name
    return option.format(name=name, value=json.dumps(value) if option is KEYWORD else value)
