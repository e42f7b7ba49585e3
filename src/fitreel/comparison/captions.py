"""The captions of compared runs: what differs between them, before what they are called."""

from fitreel.checks.text import brief, shortened
from fitreel.comparison.runs import PRESENTATION, Comparison
from fitreel.settings import parse

MOST_PARAMS = 4  # in a caption
LONGEST = 7  # characters of a number; a longer one is rounded
LONGEST_TEXT = 20


def run_captions(comparison: Comparison) -> tuple[str, ...]:
    """Return a caption for each run, as in "lr 0.5, hidden 24"; all of them differ.

    The name of a run is added if others have the same values, and stands alone if nothing differs.
    """
    names = [name for name in comparison.differing if name not in PRESENTATION][:MOST_PARAMS]
    found = [
        ", ".join(f"{name} {_value(run.params[name])}" for name in names if name in run.params)
        for run in comparison.runs
    ]
    return tuple(
        caption if caption and found.count(caption) == 1 else f"{caption}, {label}".lstrip(", ")
        for caption, label in zip(found, comparison.labels, strict=True)
    )


def _value(text: str) -> str:
    """Return the text of a param, a long number with four digits."""
    try:
        return brief(parse(text, float)) if len(text) > LONGEST else text
    except ValueError:
        return shortened(text, LONGEST_TEXT)
