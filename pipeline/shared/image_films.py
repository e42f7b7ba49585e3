"""The films of images that others drew: of a directory, or of a run of any program."""

from pathlib import Path

import fitreel.pictures
import fitreel.tracking
from fitreel.checks.files import publish
from fitreel.checks.text import shortened
from fitreel.journal.spool import scratch
from fitreel.pictures.image_files import images_in
from fitreel.settings import FilmSettings
from fitreel.tracking.names import FILMS, image_film_tag
from pipeline.shared import console
from pipeline.shared.progress import progress
from pipeline.shared.result import print_json
from pipeline.shared.session import Session


def film_directory(directory: str, out: str, film: FilmSettings, session: Session) -> None:
    """Write the film of the images in a directory to a file; no run is read or written."""
    if session.target.run:
        raise ValueError("--out is for images of a directory; the film of a run goes into the run")
    path, images = Path(out), images_in(Path(directory))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {shortened(str(path.parent))}")
    frames = min(len(images), film.max_frames)
    with scratch() as folder, progress("animate", frames) as show:
        fitreel.pictures.render_images(images, folder / path.name, film, show)
        publish(folder / path.name, path.parent)
    if session.as_json:
        print_json({"frames": frames, "out": path.absolute()})
    else:
        console.say(f"wrote {path}")


def film_images(key: str, film: FilmSettings, session: Session) -> None:
    """Film the images of a key of a run, or of a folder of its artifacts, into the same run.

    The run may be of another program, so nothing else of it changes.
    """
    if not session.target.run and Path(key).is_dir():
        raise ValueError("name the film of a directory with --out, or the run of a key with --run")
    source, file = session.any_source(), fitreel.tracking.film_file(key, film.format)
    into = session.into(source) or source
    fitreel.tracking.check_ours(into, key, file, into.first_of([f"{FILMS}/{file}"]))
    with source.images(key, film.max_frames) as images, session.run(source, as_guest=True) as run:
        if not session.writes_to(source):
            run.set_name(f"{source.name}-images")
        with run.artifacts(FILMS) as folder, progress("animate", len(images)) as show:
            fitreel.pictures.render_images(images, folder / file, film, show)
        run.set_tags({image_film_tag(file): key})
        console.say(f"{FILMS}/{file}: {len(images):,} images")
