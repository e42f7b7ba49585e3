"""The groups of settings: all of them, and the type of each setting by its name."""

from typing import Any, get_type_hints

from fitreel.settings.base import Settings, parse
from fitreel.settings.comparison import ComparisonSettings
from fitreel.settings.experiment import (
    CheckpointSettings,
    DataSettings,
    EvaluationSettings,
    FilmSettings,
    ImageSettings,
    LiveSettings,
    PlayerSettings,
    TrainingSettings,
)
from fitreel.settings.sweep import SweepSettings
from fitreel.settings.table import TableSettings

# Each group and the title of its options.
GROUPS: dict[type[Settings], str] = {
    DataSettings: "Points",
    TableSettings: "Own data",
    TrainingSettings: "Training",
    CheckpointSettings: "Training",
    LiveSettings: "Training",
    EvaluationSettings: "Evaluation",
    FilmSettings: "Film",
    PlayerSettings: "Film",
    ImageSettings: "Film",
    ComparisonSettings: "Comparison",
    SweepSettings: "Sweep",
}
KINDS: dict[str, Any] = {
    name: kind for group in GROUPS for name, kind in get_type_hints(group).items()
}


def normalised(name: str, text: str) -> str:
    """Return a param as its setting is logged, 0.20 as 0.2; other text is returned as it is."""
    try:
        # Through the number: params from `mlflow run` are as typed, as 1e-1 for 0.1.
        return str(parse(text, KINDS.get(name)))
    except ValueError:
        return text
