"""The result of a command on standard output: the id of its run, or one JSON object with --json."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fitreel.tracking import Run, Source


def print_json(found: Mapping[str, Any]) -> None:
    """Print one JSON object to standard output; a number that is not finite becomes null."""
    print(json.dumps(_finite(found), allow_nan=False))


def described(source: "Source") -> dict[str, Any]:
    """Return a run of the store as JSON has it; its files as paths, or as URIs on a server."""
    facts = _facts(source)
    return facts | {"status": source.status, "files": source.files()}


def undelivered(run: "Run") -> dict[str, Any]:
    """Return a run whose results the store did not take, with the same keys."""
    return _facts(run) | {"status": None, "files": {}}


def _facts(run: "Run | Source") -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "name": run.name,
        "experiment_id": run.experiment_id,
        "params": dict(sorted(run.params_in_force.items())),
        "metrics": dict(sorted(run.metrics.items())),
    }


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Path():
            return str(value)
        case Mapping():
            return {key: _finite(each) for key, each in value.items()}
        case str():
            return value
        case Sequence():
            return [_finite(each) for each in value]
    return value
