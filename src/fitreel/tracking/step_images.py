"""The images of steps as MLflow keeps them, as files whose names say key and step.

``mlflow.log_image(image, key=, step=)`` writes them, and MLflow's UI shows them behind a slider. No
public function lists them, so their names are read here, and written for frames of ours.
"""

import re
import uuid
from collections.abc import Iterable

from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_IMAGES

import fitreel.pictures
from fitreel.reel.recording import Recording
from fitreel.tracking.names import STEP_IMAGES
from fitreel.tracking.run import Run

OUR_KEY = "film"
THUMBNAIL = (256, 256)  # pixels, at most, of the small copy that the UI shows first
# As key+step+10+timestamp+1700000000000+ID.png; earlier versions of MLflow wrote % instead of +.
NAME = re.compile(
    r"(?P<key>[^+%]+)(?P<mark>[+%])step(?P=mark)(?P<step>-?\d{1,18})"
    r"(?P=mark)timestamp(?P=mark)(?P<time>\d{1,18})(?P=mark)[^+%]+\.png"
)


def keys(paths: Iterable[str]) -> list[str]:
    """Return the keys that the files of a run hold images of, in order."""
    return sorted({found[0] for path in paths if (found := _parsed(path))})


def of_key(paths: Iterable[str], key: str) -> list[str]:
    """Return the files of a key by their steps; of two images of a step the later one."""
    latest: dict[int, tuple[int, str]] = {}
    for path in paths:
        if (found := _parsed(path)) and found[0] == key:
            step, time = found[1:]
            latest[step] = max(latest.get(step, (time, path)), (time, path))
    return [path for _, (_, path) in sorted(latest.items())]


def _parsed(path: str) -> tuple[str, int, int] | None:
    """Return key, step and time of an image; None for another file, as a small copy."""
    folder, _, name = path.rpartition("/")
    if folder != STEP_IMAGES or not (found := NAME.fullmatch(name)):
        return None
    # A key may have a /, for which MLflow writes ~, and earlier versions wrote #.
    return re.sub("[~#]", "/", found["key"]), int(found["step"]), int(found["time"])


def log_step_images(run: Run, film: Recording) -> None:
    """Log the frames of a film as images of steps, the epochs."""
    with run.artifacts(STEP_IMAGES) as folder:
        for epoch, picture in fitreel.pictures.draw_frames(film):
            name = _name(run.run_id, epoch)
            picture.save(folder / f"{name}.png")
            picture.thumbnail(THUMBNAIL)
            picture.save(folder / f"{name}+compressed.webp")
    run.set_tags({MLFLOW_LOGGED_IMAGES: "True"})


def _name(run_id: str, epoch: int) -> str:
    # The same name each time, so that an image that is logged again replaces itself. The time is
    # never shown.
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{run_id} {OUR_KEY} {epoch}")
    return f"{OUR_KEY}+step+{epoch}+timestamp+0+{identity}"
