"""The groups of settings: all of them, and how the params of a run are read as settings."""

from collections.abc import Mapping
from typing import Any, get_type_hints

from fitreel.settings.base import Settings, parse
from fitreel.settings.comparison import ComparisonSettings
from fitreel.settings.experiment import (
    CheckpointSettings,
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    LiveSettings,
    PlayerSettings,
    TrainingSettings,
)
from fitreel.settings.sweep import SweepSettings

# Each group and the title of its options.
GROUPS: dict[type[Settings], str] = {
    DataSettings: "Points",
    TrainingSettings: "Training",
    CheckpointSettings: "Training",
    LiveSettings: "Training",
    EvaluationSettings: "Evaluation",
    FilmSettings: "Film",
    PlayerSettings: "Film",
    ComparisonSettings: "Comparison",
    SweepSettings: "Sweep",
}
KINDS: dict[str, Any] = {
    name: kind for group in GROUPS for name, kind in get_type_hints(group).items()
}


def in_force(params: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """Return the params in force: a tag overrides a param, which MLflow never changes."""
    overridden = {name: tags[tag] for name in KINDS if (tag := f"fitreel.{name}") in tags}
    return dict(params) | overridden


def normalised(name: str, text: str) -> str:
    """Return a param as its setting is logged, 0.20 as 0.2; other text is returned as it is."""
    try:
        return str(parse(text, KINDS.get(name)))
    except ValueError:
        return text
