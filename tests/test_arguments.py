"""The arguments as people type them: pipeline.shared.arguments."""

import pytest
import typer

from pipeline.shared.arguments import explained, with_values


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("run --live", "run --live=on"),
        ("run --live --lr 0.2", "run --live=on --lr 0.2"),
        ("run --live on", "run --live on"),
        ("run --live off --lr 0.2", "run --live off --lr 0.2"),
        ("sweep --prune --trials 9", "sweep --prune=on --trials 9"),
        ("compare --with-trials", "compare --with-trials=on"),
        ("run --lr", "run --lr"),
        ("run --live maybe", "run --live maybe"),
        ("run --live=off", "run --live=off"),
        ("", ""),
    ],
)
def test_a_switch_alone_means_on(typed: str, read: str) -> None:
    assert with_values(typed.split()) == read.split()


def test_another_error_keeps_its_message() -> None:
    assert explained(typer.TyperException("no command given")) == "no command given"
