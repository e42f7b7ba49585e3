"""The films of images in a run: of which files they are made, and which films are ours."""

import re
from pathlib import PurePosixPath

from fitreel.checks.text import shown
from fitreel.pictures.image_files import images_in_order
from fitreel.settings import FilmFormat
from fitreel.tracking import step_images
from fitreel.tracking.artifacts import Artifacts
from fitreel.tracking.facts import Facts
from fitreel.tracking.names import FILMS, STEP_IMAGES, image_film_tag

LONGEST_FILE = 100  # letters of a key in the name of its film
LISTED = 10  # keys in a message


def image_paths(artifacts: Artifacts, run_id: str, key: str) -> list[str]:
    """Return the images of a key, or those in a folder of the run, in order.

    Raises ValueError, which lists the keys of the run, if they are missing.
    """
    kept = artifacts.files_in(STEP_IMAGES)
    if found := step_images.of_key(kept, key) or _in_folder(artifacts, key):
        return found
    keys = step_images.keys(kept)
    names = ", ".join(shown(each) for each in keys[:LISTED])
    more = f" and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
    has = f"it has images of {names}{more}" if keys else "it has no images of steps"
    raise ValueError(f"run {run_id} has no images of '{shown(key)}'; {has}")


def _in_folder(artifacts: Artifacts, path: str) -> list[str]:
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or parts[0] == "/":
        return []
    return images_in_order(artifacts.files_in("/".join(parts)))


def film_file(key: str, form: FilmFormat) -> str:
    """Return the name of the film of a key, without anything that has a meaning in a path."""
    letters = re.sub(r"[^A-Za-z0-9_. -]", "-", key.strip("/"))
    return f"{letters.lstrip('.')[:LONGEST_FILE] or 'film'}.{form}"


def check_ours(into: Facts, key: str, file: str, found: str | None) -> None:
    """Raise ValueError if the film would replace a file, unless it is the film of this key.

    ``found`` is the path of the file in the run, if it is there.
    """
    ours = into.tags.get(image_film_tag(file))
    if ours is not None and ours != key:
        raise ValueError(f"run {into.run_id} has the film of '{shown(ours)}' as {FILMS}/{file}")
    if found and ours is None:
        raise ValueError(
            f"run {into.run_id} has {found}, which fitreel animate did not log and would "
            "replace; log to another run"
        )
