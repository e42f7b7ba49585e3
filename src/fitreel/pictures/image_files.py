"""The image files of a folder, in the order of the numbers in their names."""

import re
from collections.abc import Iterable
from pathlib import Path

from fitreel.checks.text import shortened

LARGEST_IMAGE = 100_000_000  # bytes
SUFFIXES = (".png", ".jpg", ".jpeg")


def images_in_order(paths: Iterable[str]) -> list[str]:
    """Return those of the paths that end as images do: step9.png before step10.png."""
    return sorted((path for path in paths if path.lower().endswith(SUFFIXES)), key=_parts)


def _parts(path: str) -> list[tuple[str, int, str]]:
    # Each piece is a text and the number behind it. The number as text, too: 07 is not 7.
    pieces = re.findall(r"([^0-9]*)([0-9]*)", path)
    return [(text.lower(), int(digits or 0), digits) for text, digits in pieces]


def images_in(directory: Path) -> list[Path]:
    """Return the images in a directory, in order; ValueError if it is none, or has no image."""
    name = shortened(str(directory))
    if not directory.is_dir():
        raise ValueError(f"there is no directory {name}")
    found = images_in_order(each.name for each in directory.iterdir() if each.is_file())
    if not found:
        raise ValueError(f"{name} has no image: no file that ends in {', '.join(SUFFIXES)}")
    return [directory / file for file in found]
