"""The captions of compared runs: comparison.captions."""

import pytest

from fitreel.comparison.captions import run_captions
from fitreel.comparison.runs import compare
from tests.compared import compared
from tests.films import filmed


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


def test_of_many_models_each_has_its_name() -> None:
    own = compared(name="ours", epochs=2)
    tree = filmed(1, name="tree", params={"max_depth": "3", "lr": "1"})
    net = filmed(2, name="net", params={"lr": "0.5"})
    assert run_captions(compare([own, tree, net])) == ("ours", "tree", "net")


def test_films_of_one_model_have_what_differs() -> None:
    films = [filmed(n, name=f"{n}", params={"lr": f"0.{n}", "depth": "3"}) for n in (1, 2)]
    assert run_captions(compare(films)) == ("lr 0.1", "lr 0.2")


def test_films_without_a_name_of_their_own_have_what_differs() -> None:
    own = compared(name="ours", epochs=2)
    films = [filmed(1, params={"depth": "3"}), filmed(2, params={"width": "4"}), filmed(3)]
    expected = ("ours", "depth 3", "width 4", "film f0000003")
    assert run_captions(compare([own, *films])) == expected


def test_an_invisible_name_of_a_film_is_its_id() -> None:
    runs = [compared(name="ours", epochs=2), filmed(1, name=" \u200b", params={"a": "1"})]
    assert run_captions(compare(runs)) == ("ours", "f0000001")
