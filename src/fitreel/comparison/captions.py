"""The captions of compared runs: what differs between them, before what they are called."""

from collections.abc import Sequence

from fitreel.checks.text import brief, shortened
from fitreel.comparison.groups import PRESENTATION
from fitreel.comparison.runs import Comparison
from fitreel.settings import parse

MOST_PARAMS = 4  # in a caption
LONGEST = 7  # characters of a number; a longer one is rounded
LONGEST_TEXT = 20
LONGEST_NAME = 40


def run_captions(comparison: Comparison) -> tuple[str, ...]:
    """Return a caption for each run, as in "lr 0.5, hidden 24"; all of them differ.

    The name of a run is added if others have the same values, and stands alone if nothing differs.
    Beside films that do not share these params, which are of other models, it stands alone if no
    other run has it.
    """
    names = [name for name in comparison.differing if name not in PRESENTATION][:MOST_PARAMS]
    found = [
        ", ".join(f"{name} {_value(run.params[name])}" for name in names if name in run.params)
        for run in comparison.runs
    ]
    if _are_of_many_models(comparison, names):
        called = [run.name for run in comparison.runs]
        found = [
            shortened(label, LONGEST_NAME) if called.count(name) == 1 else caption
            for name, label, caption in zip(called, comparison.labels, found, strict=True)
        ]
    return tuple(
        caption if caption and found.count(caption) == 1 else f"{caption}, {label}".lstrip(", ")
        for caption, label in zip(found, comparison.labels, strict=True)
    )


def _are_of_many_models(comparison: Comparison, names: Sequence[str]) -> bool:
    have_all = all(name in run.params for name in names for run in comparison.runs)
    return not have_all and any(run.is_film for run in comparison.runs)


def _value(text: str) -> str:
    """Return the text of a param, a long number with four digits."""
    try:
        return brief(parse(text, float)) if len(text) > LONGEST else text
    except ValueError:
        return shortened(text, LONGEST_TEXT)
