"""The choice of columns: the target, the features, and those that decide what is held out."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from fitreel.checks.text import plain, shown
from fitreel.data.table.survey import Survey
from fitreel.settings import TableSettings, nearest


@dataclass(frozen=True)
class Choice:
    """The columns of a table that are used, by name."""

    target: str
    features: tuple[str, ...]
    group: str  # "" for none
    time: str

    @property
    def all(self) -> tuple[str, ...]:
        """The names of all, each once."""
        found = (*self.features, self.target, self.group, self.time)
        return tuple(dict.fromkeys(filter(None, found)))


def choose(names: Sequence[str], settings: TableSettings) -> Choice:
    """Return the columns that the settings name; ValueError if one is not there."""
    target, group, time = (
        _find(name, names, option)
        for name, option in [
            (settings.target, "target"),
            (settings.group, "group"),
            (settings.time, "time"),
        ]
    )
    asked = next(csv.reader([settings.features], skipinitialspace=True), [])
    features = tuple(_find(name, names, "features") for name in asked)
    if target in features:
        raise ValueError(f"the target '{shown(target)}' is among the features")
    if target in (group, time):
        raise ValueError(f"the target '{shown(target)}' cannot decide which rows are held out")
    if twice := [name for place, name in enumerate(features) if name in features[:place]]:
        raise ValueError(f"'{shown(twice[0])}' is among the features twice")
    if not asked:
        features = tuple(name for name in names if name and name not in (target, group, time))
    if not features:
        raise ValueError(f"the table has no column to predict '{shown(target)}' from")
    return Choice(target, features, group, time)


def _find(name: str, names: Sequence[str], option: str) -> str:
    name = plain(name.strip())
    if name and name not in names:
        meant = nearest(name, filter(None, names))
        columns = ", ".join(shown(each, 30) for each in names[:20]) + (", …" * (len(names) > 20))
        hint = f"did you mean '{shown(meant)}'?" if meant else f"its columns are {columns}"
        raise ValueError(f"the table has no column '{shown(name)}' ({option}); {hint}")
    return name


def check_feature(found: Survey) -> None:
    """Raise ValueError if a network cannot learn from a column."""
    name = shown(found.name)
    row, text = found.first_other
    if found.kind == "date":
        raise ValueError(
            f"column '{name}' holds dates or times, which are not numbers: choose others with "
            f"--features, or hold out the latest rows with --time"
        )
    if found.kind == "mixed":
        raise ValueError(
            f"column '{name}' holds numbers, but {shown(repr(text))} in row {row:,}; "
            "leave a cell empty where a value is missing"
        )
    if found.kind == "other":
        raise ValueError(f"column '{name}' is of type {found.type}; choose others with --features")
