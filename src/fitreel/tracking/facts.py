"""The facts of a run: its params, metrics and tags, and what they say about it."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TypeVar

from fitreel.checks.text import plain
from fitreel.settings import (
    DataSettings,
    Settings,
    TableSettings,
    TrainingSettings,
    normalised,
    parse,
)
from fitreel.settings.metrics import LOSS, NOISE_FLOOR, seconds_metric
from fitreel.tracking.names import (
    DIVERGED_TAG,
    DRAWN_TAG,
    FILM_KIND,
    KIND_TAG,
    SHA256_TAG,
    TRIAL_TAG,
    provenance_tag,
    seconds_tag,
)
from fitreel.tracking.overrides import in_force
from fitreel.tracking.packing import unpacked
from fitreel.training.provenance import KEYS as PROVENANCE_KEYS

# `mlflow run` logs these as params, too: they say which run, not how it was made.
PASSED_THROUGH = {"run", "name", "experiment", "tracking_uri", "patience"}
POINTS = {each.name for each in fields(DataSettings)}
TABLES = {each.name for each in fields(TableSettings)}
Kind = TypeVar("Kind", bound=Settings)


def has_edited_points(tags: Mapping[str, str]) -> bool:
    """Return whether the points that a run logged last are others than its settings draw."""
    return tags.get(DRAWN_TAG, tags.get(SHA256_TAG)) != tags.get(SHA256_TAG)


def added_defaults() -> dict[str, str]:
    """Return the settings of a training that runs of earlier versions lack, as they were then."""
    return {
        each.name: str(each.default) for each in fields(TrainingSettings) if each.metadata["added"]
    }


def earlier_provenance(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the provenance of a training as fitreel 0.3.0 and before kept it, in tags."""
    found = {key: tags.get(provenance_tag(key)) for key in PROVENANCE_KEYS}
    return {key: text for key, text in found.items() if text is not None}


class Facts:
    """What is known of a run, whether it is read or written; the dictionaries are its own."""

    def __init__(
        self,
        run_id: str,
        experiment_id: str,
        name: str,
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> None:
        """Raise ValueError if a tag that should hold JSON does not."""
        self.run_id = run_id
        self.experiment_id = experiment_id
        # Anybody may have written these texts. They are made plain here, at the border, once.
        self.name = plain(name)
        self.params = {plain(key): plain(text) for key, text in params.items()}
        self.metrics = {plain(key): value for key, value in metrics.items()}
        try:
            found = unpacked(tags)
        except ValueError as error:
            raise ValueError(f"run {run_id}: {error}") from None
        self.tags = {plain(key): plain(text) for key, text in found.items()}

    @property
    def kind(self) -> str | None:
        """What it is, "sweep", "comparison" or "film"; None for an experiment."""
        return self.tags.get(KIND_TAG)

    @property
    def is_film(self) -> bool:
        """Whether it is the film of any model."""
        return self.kind == FILM_KIND

    @property
    def is_trial(self) -> bool:
        """Whether it is a trial of a sweep."""
        return TRIAL_TAG in self.tags

    @property
    def has_training(self) -> bool:
        """Whether a training logged to it."""
        return LOSS in self.metrics

    def has_logged(self, stage: str) -> bool:
        """Whether a stage was finished and logged its results."""
        return seconds_metric(stage) in self.metrics or seconds_tag(stage) in self.tags

    @property
    def has_diverged(self) -> bool:
        """Whether its training diverged."""
        return DIVERGED_TAG in self.tags

    @property
    def has_edited_points(self) -> bool:
        """Whether the points that it logged last are others than its settings draw."""
        return has_edited_points(self.tags)

    @property
    def params_in_force(self) -> dict[str, str]:
        """Its params, each as its overriding tag has it, if it has one."""
        return in_force(self.params, self.tags)

    def settings(self, kind: type[Kind]) -> Kind | None:
        """Return a group of settings as they are in force; None if the run lacks one of them.

        Raises ValueError if one cannot be read.
        """
        found = self.params_in_force
        if not kind.required() <= found.keys():
            return None
        try:
            return kind.from_params(found)
        except ValueError as error:
            raise ValueError(f"run {self.run_id}: {error}") from None

    def training_settings(self) -> TrainingSettings | None:
        """Return how the network was trained; None if that is not known."""
        return self.settings(TrainingSettings)

    def table_settings(self) -> TableSettings | None:
        """Return from which table its rows are; None if they are points."""
        return self.settings(TableSettings) or None

    @property
    def data_seed(self) -> int:
        """The seed that drew its points, or that held out rows of its table."""
        text = self.params_in_force.get("data_seed", str(DataSettings.data_seed))
        return DataSettings(data_seed=parse(text, int)).data_seed

    @property
    def has_table(self) -> bool:
        """Whether its rows are from a table."""
        return self.table_settings() is not None

    def all_settings(self) -> dict[str, str]:
        """Return all params as they are in force, equal numbers with equal text."""
        found = self.params_in_force
        if self.is_film:  # whoever filmed chose the names: they are no settings of ours
            return {name: normalised(name, text) for name, text in found.items()}
        # Settings that did not draw the points would be compared as if they had.
        no_points = self.has_edited_points or self.has_table
        left_out = PASSED_THROUGH | {NOISE_FLOOR} | (POINTS if no_points else set())
        left_out = left_out - {"data_seed"} if self.has_table else left_out | TABLES
        if TrainingSettings.required() <= found.keys():
            found = added_defaults() | found
        return {name: normalised(name, found[name]) for name in found.keys() - left_out}
