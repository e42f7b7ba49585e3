"""The finding: what a check of the doctor returns."""

from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).resolve().parents[2]
# Below the limit of a check in pipeline/doctor.py, which would leave the program running.
LIMIT = 8  # seconds for a program to answer


class Finding(NamedTuple):
    """What a check found: whether all is well, and one line of text about it."""

    fine: bool
    text: str
