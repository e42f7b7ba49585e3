from dataclasses import fields

import pytest

from fitreel.settings import GROUPS, DataSettings, FilmSettings, TrainingSettings, nearest
from fitreel.settings.names import OTHER_NAMES

TRAINING = [each.name for each in fields(TrainingSettings)]
DATA = [each.name for each in fields(DataSettings)]
FILM = [each.name for each in fields(FilmSettings)]
SETTINGS = {each.name for group in GROUPS for each in fields(group)}  # type: ignore[arg-type]
# Options of the command line that are not settings.
TARGETS = {"out", "name", "tracking_uri", "patience"}


@pytest.mark.parametrize(
    ("typed", "known", "meant"),
    [
        ("learning_rate", TRAINING, "lr"),
        ("--learning-rate", TRAINING, "lr"),
        ("Learning_Rate", TRAINING, "lr"),
        ("neurons", TRAINING, "hidden"),
        ("iterations", TRAINING, "epochs"),
        ("epoch", TRAINING, "epochs"),
        ("opt", TRAINING, "optimizer"),
        ("optimiser", TRAINING, "optimizer"),
        ("LR", TRAINING, "lr"),
        ("random_state", TRAINING, "seed"),
        ("seed", DATA, "data_seed"),
        ("random_state", DATA, "data_seed"),
        ("n", DATA, "samples"),
        ("func", DATA, "function"),
        ("frame", TRAINING, "frame_every"),
        ("sigma", DATA, "noise"),
        ("xmin", DATA, "x_min"),
        ("maxframes", FILM, "max_frames"),
        ("learning_rate", DATA, None),
        ("dropout", TRAINING, None),
        ("", TRAINING, None),
        ("lr", [], None),
    ],
)
def test_the_nearest_name_is_found(typed: str, known: list[str], meant: str | None) -> None:
    assert nearest(typed, known) == meant


def test_a_known_name_is_returned_as_it_is_written() -> None:
    assert nearest("learning_rate", ["--frame-every", "--lr"]) == "--lr"


def test_other_names_lead_to_names_that_exist() -> None:
    assert set(OTHER_NAMES.values()) <= SETTINGS | TARGETS
    assert not OTHER_NAMES.keys() & SETTINGS
