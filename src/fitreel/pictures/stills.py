"""The stills: which pictures show what a trained network has made of a dataset."""

from collections.abc import Callable, Mapping
from functools import cache, partial

from fitreel.data.dataset import Dataset
from fitreel.pictures.calibration import calibration, draw_calibration
from fitreel.pictures.confusion import confusion, draw_confusion
from fitreel.pictures.dependence import dependences, draw_dependences
from fitreel.pictures.important_columns import draw_importance
from fitreel.pictures.picture import Picture
from fitreel.pictures.plane import draw_field, draw_regions
from fitreel.pictures.residuals import draw_residuals, residuals
from fitreel.pictures.still_names import (
    CALIBRATION,
    CONFUSION,
    DEPENDENCE,
    FIELD,
    IMPORTANCE,
    REGIONS,
    RESIDUALS,
)
from fitreel.training.importance import Importance, feature_columns, permutation_importance
from fitreel.training.weights import Weights


def still_pictures(weights: Weights, dataset: Dataset) -> Mapping[str, Callable[[], Picture]]:
    """Return what draws each picture besides rst.png, by the name of its file.

    Nothing is computed before. A regression of one feature has none: the film shows it all.
    """

    # Two pictures show it.
    @cache
    def importance() -> Importance:
        return permutation_importance(weights, dataset)

    drawn: dict[str, Callable[[], Picture]] = {
        FIELD: partial(draw_field, weights, dataset),
        REGIONS: partial(draw_regions, weights, dataset),
        RESIDUALS: lambda: draw_residuals(residuals(weights, dataset)),
        CONFUSION: lambda: draw_confusion(confusion(weights, dataset)),
        CALIBRATION: lambda: draw_calibration(calibration(weights, dataset)),
        IMPORTANCE: lambda: draw_importance(importance(), bool(dataset.classes)),
        DEPENDENCE: lambda: draw_dependences(dependences(weights, dataset, importance()), dataset),
    }
    return {name: drawn[name] for name in still_names(dataset)}


def still_names(dataset: Dataset) -> tuple[str, ...]:
    """Return the names of the pictures that a dataset gets, in the order in which to look."""
    is_classification, features = bool(dataset.classes), len(dataset.features)
    # Two features of one category do not span a plane: only two of its points can occur.
    is_plane = features == len(feature_columns(dataset)) == 2
    if is_plane:
        return (REGIONS, CONFUSION) if is_classification else (FIELD, RESIDUALS)
    if is_classification:
        return (CONFUSION, CALIBRATION, IMPORTANCE)
    return (RESIDUALS, IMPORTANCE, DEPENDENCE) if features > 1 else ()
