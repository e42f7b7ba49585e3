import pytest

from fitreel.pictures.fitted_text import fitted, text_width
from tests.compared import HOSTILE


def test_text_that_fits_stays_as_it_is() -> None:
    assert fitted("relu20-sgd-lr0.1", 200, 9) == "relu20-sgd-lr0.1"


def test_text_that_is_too_wide_loses_its_middle() -> None:
    short = fitted("relu20-momentum-lr0.05-e1000-seed17", 140, 9)
    assert short == "relu20-mom…seed17"
    assert text_width(short, 9) <= 140


def test_bold_and_larger_text_is_wider() -> None:
    assert text_width("fit", 9) < text_width("fit", 9, "bold") < text_width("fit", 12, "bold")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [0, 60, 300])
def test_any_text_is_made_to_fit(text: str, width: int) -> None:
    line = fitted(text, width, 9)
    assert text_width(line, 9) <= width
    assert line.isprintable()


def test_characters_that_the_font_lacks_become_boxes() -> None:
    assert fitted("漢字 ★", 100, 9) == "□□ ★"
