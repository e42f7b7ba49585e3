"""The finding: what a check of the doctor returns."""

from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).resolve().parents[2]
LIMIT = 8  # seconds for a program to answer


class Finding(NamedTuple):
    """What a check found: whether all is well, and one line of text about it."""

    fine: bool
    text: str
