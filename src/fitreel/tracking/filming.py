"""The filming of any training: its run, its reel, and what is logged at the end."""

import logging
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE
from sqlalchemy.exc import SQLAlchemyError

from fitreel.checks.text import check_metric, plain
from fitreel.data.column import Numbers
from fitreel.journal.filming import FilmWriter
from fitreel.journal.signals import SIGNALS
from fitreel.journal.spool import Undelivered
from fitreel.live.library import open_while, showing
from fitreel.live.view import LiveView
from fitreel.reel.listener import Frame
from fitreel.reel.reel import EVERY, Reel
from fitreel.settings import PATIENCE, FilmSettings, ImageSettings, LiveName
from fitreel.tracking.film_files import log_film, log_rows
from fitreel.tracking.names import FILM_KIND, KIND_TAG, LOG_IMAGES_TAG, PLAYER
from fitreel.tracking.run import Run
from fitreel.tracking.side_effects import apart
from fitreel.tracking.store.client import Client
from fitreel.tracking.store.limits import CALL, request_limit
from fitreel.tracking.store.patience import Patience
from fitreel.tracking.tracker import Tracker

LOG = logging.getLogger("fitreel")


@contextmanager
def film(
    x: Numbers,
    y: Numbers,
    *,
    experiment: str | None = None,
    name: str | None = None,
    run_id: str | None = None,
    tracking_uri: str | None = None,
    patience: float = PATIENCE,
    names: Sequence[str] = (),
    target: str = "",
    classes: Sequence[Any] = (),
    probes: Numbers | None = None,
    every: int = EVERY,
    seconds: float | None = None,
    max_frames: int = FilmSettings.max_frames,
    log_images: int = ImageSettings.log_images,
    live: bool | LiveName = False,
    pace: float = 0.0,
    guest_prefix: str = "",
    **params: Any,
) -> Iterator[Reel]:
    """Film a training into an MLflow run: the block calls ``reel.frame(step, loss, model)``.

    ``x`` and ``y`` are the rows to show, as for ``Reel``, which explains the options after
    ``patience``. Inside an active run, or with ``run_id``, it joins that run and leaves its end to
    its owner, who may log losses, too: ``guest_prefix`` comes before the film's metrics there. Else
    it opens a run in an ``experiment``, which ends FINISHED, or with what there is FAILED on an
    exception and KILLED on an interruption. ``log_images`` frames become images of steps, which
    MLflow's UI shows behind a slider. ``live`` and ``pace`` show the training as in ``fit``; if
    somebody presses stop there, ``reel.frame`` raises KeyboardInterrupt. Other keywords are logged
    as params. If the store is away at the end, a warning says what waits for ``fitreel sync``.
    Raises ConnectionError if no store is there at the start, ValueError for what does not fit,
    OSError if the training cannot be shown.
    """
    reel = Reel(
        x,
        y,
        names=names,
        target=target,
        classes=classes,
        probes=probes,
        every=every,
        seconds=seconds,
        max_frames=max_frames,
    )
    reel.listeners.append(_Checked(guest_prefix))
    images = ImageSettings(log_images=log_images)
    texts = {plain(key): plain(str(value)) for key, value in params.items()}
    waits = Patience(patience, report=LOG.warning)
    place = _Place(tracking_uri, experiment, name, run_id, guest_prefix, waits)
    with (
        _raising_signals(),
        open_while(live, pace) as view,
        apart(_opened(reel, place, texts, images, view)),
    ):
        yield reel


@dataclass(frozen=True)
class _Place:
    """The run of a film: where it is opened, or which one is joined."""

    tracking_uri: str | None
    experiment: str | None
    name: str | None
    run_id: str | None
    guest_prefix: str
    patience: Patience


@contextmanager
def _opened(
    reel: Reel,
    place: _Place,
    params: Mapping[str, str],
    images: ImageSettings,
    view: LiveView | None,
) -> Iterator[None]:
    """Open the run, let the reel write into it, and log the film at the end of the block."""
    active = mlflow.active_run()
    guest_of = place.run_id or (active.info.run_id if active else None)
    if guest_of and (place.experiment or place.name):
        raise ValueError(f"run {guest_of} has a name and an experiment; leave yours out")
    tracker = Tracker(place.tracking_uri, place.experiment, patience=place.patience)
    context = (
        tracker.join(guest_of)
        if guest_of
        else tracker.run(name=place.name, is_gentle=True, kind=FILM_KIND)
    )
    is_filmed = False
    try:
        with context as run:
            prefix = place.guest_prefix if guest_of else ""
            name = place.name if place.name or guest_of else f"film-{len(reel.dataset)}-rows"
            writer = _start(run, reel, params, name, prefix)
            if images.log_images:
                run.set_tags({LOG_IMAGES_TAG: str(images.log_images)})
            owners = tracker.client if guest_of else None
            try:
                with showing(view, reel, run.name):
                    yield
            except BaseException as error:
                try:
                    _finish(run, reel, writer, owners)
                except Exception as other:
                    error.add_note(f"and the film could not be made: {other}")
                raise
            _finish(run, reel, writer, owners)
            if view:
                view.finish(run.artifact(PLAYER))
            is_filmed = True
    except (Undelivered, ValueError) as error:
        # The training is done, and what follows it must not be lost, as its model may be.
        if not is_filmed:
            raise
        LOG.warning("run %s: %s", run.run_id, error)


def _start(
    run: Run, reel: Reel, params: Mapping[str, str], name: str | None, prefix: str
) -> FilmWriter:
    """Log what is known at the start; return the writer of points and frames."""
    run.set_tags({KIND_TAG: FILM_KIND})
    if name:
        run.set_name(name)
    run.log_params(params)
    log_rows(run, reel, run.name)
    writer = run.film_writer(prefix)
    reel.listeners.append(writer)
    return writer


def _finish(run: Run, reel: Reel, writer: FilmWriter, owners: Client | None) -> None:
    """Log the film; ``owners`` is the store of a run that somebody else opened."""
    # From here on nobody else waits for the store: our retries are enough, and end sooner.
    request_limit.start(CALL)
    reel.finish()
    writer.flush()
    reel.listeners.remove(writer)
    log_film(run, reel, with_note=owners is None or _has_no_note(owners, run.run_id))


def _has_no_note(client: Client, run_id: str) -> bool:
    """Return whether nobody has described a run; False if the store does not say so at once."""
    try:
        return MLFLOW_RUN_NOTE not in client.without_patience().get_run(run_id).data.tags
    except (MlflowException, SQLAlchemyError, OSError):
        return False


class _Checked:
    """A listener that refuses names which MLflow would refuse at the end."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._known: set[str] = set()

    def on_point(self, step: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        """Raise ValueError for a name that no metric may have."""
        for name in values.keys() - self._known:
            check_metric(f"{self._prefix}{name}")
            self._known.add(name)

    def on_frame(self, frame: Frame) -> None:
        """Take any frame."""


@contextmanager
def _raising_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP unwind the block, as Ctrl-C does, unless they have a handler."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    mine = [each for each in SIGNALS if signal.getsignal(each) is signal.SIG_DFL]
    for number in mine:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in mine:
            if signal.getsignal(number) is _exit:
                signal.signal(number, signal.SIG_DFL)


def _exit(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
