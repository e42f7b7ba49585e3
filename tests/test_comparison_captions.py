"""The captions of compared runs: comparison.captions."""

import pytest

from fitreel.comparison.captions import run_captions
from fitreel.comparison.runs import compare
from tests.compared import compared


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ([{"lr": "0.5"}, {"lr": "0.1"}], ("lr 0.5", "lr 0.1")),
        # A sampler's numbers are rounded; in the order of the settings.
        (
            [{"lr": "0.27562404", "hidden": "8"}, {"lr": "1.25e-05", "hidden": "9"}],
            ("hidden 8, lr 0.2756", "hidden 9, lr 1.25e-05"),
        ),
        # How a training is shown makes no difference to it.
        ([{"fps": "10", "seed": "1"}, {"fps": "20", "seed": "2"}], ("seed 1", "seed 2")),
        # What rounds to the same, and what is the same, has its name, too.
        ([{"lr": "0.12345678"}, {"lr": "0.12345679"}], ("lr 0.1235, a", "lr 0.1235, b")),
        ([{}, {}], ("a", "b")),
        ([{"lr": "0.1", "x": "1"}, {"lr": "0.1"}], ("x 1", "b")),
        ([{"note": "y" * 99}, {"note": "z"}], (f"note {'y' * 14}…yyyyy", "note z")),
    ],
)
def test_a_caption_says_what_differs(
    params: list[dict[str, str]], expected: tuple[str, ...]
) -> None:
    runs = [
        compared(place, name=name, params=each, epochs=2)
        for place, (name, each) in enumerate(zip("ab", params, strict=True))
    ]
    assert run_captions(compare(runs)) == expected
