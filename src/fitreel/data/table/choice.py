"""The choice of columns: the target, the features, and the one that decides what is held out."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from fitreel.checks.text import plain, shown
from fitreel.data.table.cells import CellKind
from fitreel.data.table.survey import FoundColumn
from fitreel.settings import TableSettings, nearest


@dataclass(frozen=True)
class Choice:
    """The columns of a table that are used, by name."""

    target: str
    features: tuple[str, ...]
    group: str = ""  # none
    time: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all, each once."""
        found = (*self.features, self.target, self.group, self.time)
        return tuple(dict.fromkeys(filter(None, found)))


def choose(names: Sequence[str], settings: TableSettings) -> Choice:
    """Return the columns that the settings name; ValueError if one is not there.

    Without ``features``, all columns that have a name and no other use.
    """
    target = _find(settings.target, names, "target")
    group = _find(settings.group, names, "group")
    time = _find(settings.time, names, "time")
    # The reader of CSV, so that a name may have a comma in it, in quotes.
    asked = next(csv.reader([settings.features], skipinitialspace=True), [])
    features = tuple(_find(name, names, "features") for name in asked)
    if not all(features):
        raise ValueError("features: a name is empty")
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


def kinds(found: dict[str, FoundColumn], choice: Choice) -> dict[str, CellKind]:
    """Return how the cells of every column are kept; ValueError if one cannot be used."""
    kept: dict[str, CellKind] = {}
    for name in filter(None, (choice.group, choice.time)):
        kept[name] = _ordering(found[name], name == choice.time)
    for name in choice.features:
        kept[name] = _feature(found[name])
    kept[choice.target] = _feature(found[choice.target])
    for name in (choice.target, choice.time, choice.group):
        if kept.get(name) == "number":
            kept[name] = "precise"
    return kept


def _feature(found: FoundColumn) -> CellKind:
    name, (row, text) = shown(found.name), found.first
    first = f"{shown(repr(text), 40)} in row {row:,}"
    match found.kind:
        case "number" | "boolean" | "category":
            return found.kind
        case "date":
            raise ValueError(
                f"column '{name}' holds dates or times, which are not numbers: choose other "
                "columns with --features, or hold out the latest rows with --time"
            )
        case "mixed":
            raise ValueError(
                f"column '{name}' holds numbers, but {first}; where a value is missing, leave the "
                "cell empty"
            )
        case "written":
            raise ValueError(
                f"column '{name}' has {first}; write it as a plain number, like 1234.5"
            )
        case "other":
            raise ValueError(
                f"column '{name}' is of type {shown(found.type, 40)}; choose other columns with "
                "--features"
            )


def _ordering(found: FoundColumn, is_time: bool) -> CellKind:
    if is_time and found.kind not in ("number", "date"):
        row, text = found.first
        seen = f"has {shown(repr(text), 40)} in row {row:,}" if row else f"is of type {found.type}"
        raise ValueError(
            f"column '{shown(found.name)}' {seen}; time must be numbers, or dates like 2026-01-31"
        )
    if found.kind == "date":
        return "time"
    return "category" if found.kind in ("mixed", "written") else _feature(found)


def _find(name: str, names: Sequence[str], option: str) -> str:
    """Return a name that a setting has, as the table has it; "" if the setting is empty."""
    name = plain(name.strip())
    if not name or name in names:
        return name
    known = [each for each in names if each]
    if meant := nearest(name, known):
        hint = f"did you mean '{shown(meant)}'?"
    else:
        some = ", ".join(shown(each, 30) for each in known[:8])
        hint = f"it has {some}{', …' * (len(known) > 8)}" if known else "it has no names"
    raise ValueError(f"{option}: the table has no column '{shown(name)}'; {hint}")
