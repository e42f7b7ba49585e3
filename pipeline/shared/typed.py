"""The typed settings: which of them somebody gave, and what the others are for a table."""

from dataclasses import fields
from typing import Any

from fitreel.settings import (
    SweepSettings,
    TrainingSettings,
    check_not_drawn,
    check_not_of_table,
    for_table,
    sweep_for_table,
)


def fit_to_table(given: dict[str, Any], typed: set[str]) -> None:
    """Change settings to the defaults for tables if there is one.

    Raises ValueError if settings are only for points, or only for tables.
    """
    table, training, sweep = (given.get(name) for name in ("table", "training", "settings"))
    if table:
        check_not_drawn(given["data"])
        if training:
            given["training"] = for_table(training, table, typed)
        if sweep:
            given["settings"] = sweep_for_table(sweep, table, typed)
    elif isinstance(sweep, SweepSettings):
        check_not_of_table(sweep)


def typed_names(values: dict[str, Any]) -> set[str]:
    """Return the names of the settings that somebody typed."""
    if values["project"]:  # MLproject passes all of them
        defaults = {
            each.name: each.default
            for group in (TrainingSettings, SweepSettings)
            for each in fields(group)
            if each.name in values
        }
        return {name for name, default in defaults.items() if values[name] != default}
    source = values["context"].get_parameter_source
    # By the name of the source: Typer has no public name for the enumeration.
    return {name for name in values if getattr(source(name), "name", "DEFAULT") != "DEFAULT"}
