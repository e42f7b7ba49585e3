"""watch: show a training that another process or machine runs."""

from contextlib import nullcontext
from typing import TYPE_CHECKING

import fitreel.live
import fitreel.tracking
from fitreel.settings import LiveSettings
from pipeline.shared import console
from pipeline.shared.options import JSON, LIVE, PACE, RUN, TRACKING_URI
from pipeline.shared.result import print_json

if TYPE_CHECKING:
    from fitreel.live import LiveView
    from fitreel.tracking import Outcome, WatchedRun

PAUSE = 0.2  # seconds between two looks
NOTE = "a run of another process: the buttons act on the watching alone"


def watch(
    run: RUN = "latest",
    live: LIVE = "on",
    pace: PACE = 0.0,
    as_json: JSON = False,
    tracking_uri: TRACKING_URI = None,
) -> None:
    """Watch a run that another process or machine trains, until it ends.

    Nothing that is done here changes the run: to stop is to stop watching.
    Example: fitreel watch latest
    """
    if live == "off":
        raise ValueError("live must be on, window, browser or terminal to watch a run; got off")
    tracker = fitreel.tracking.Tracker(
        tracking_uri or None,
        may_create=False,
        patience=fitreel.tracking.Patience(report=console.warn),
    )
    with fitreel.tracking.WatchedRun(tracker, run) as watched:
        if outcome := watched.outcome():
            console.say(f"run {watched.run_id} is over: {described(watched, outcome)}")
        elif view := fitreel.live.open_view(LiveSettings(live=live, pace=pace)):
            outcome = show(watched, view)
        if as_json:
            status, resumable = (outcome.status, outcome.resumable) if outcome else (None, False)
            found = {"run_id": watched.run_id, "status": status or "RUNNING"}
            print_json(found | {"resumable": resumable})


def show(watched: "WatchedRun", view: "LiveView") -> "Outcome | None":
    """Show a run in a view until one of them ends, and say so; None if the run goes on."""
    console.say(f"watching run {watched.run_id}; Ctrl-C ends the watching, not the training")
    if not watched.is_here:
        console.say("its journal is not on this machine: the losses are shown, its film at the end")
    view.note = NOTE
    try:
        outcome = follow(watched, view)
        with watched.player() if watched.has_player else nullcontext() as page:
            view.finish(page)
        console.say(f"run {watched.run_id} ended: {described(watched, outcome)}")
        return outcome
    except KeyboardInterrupt:
        again = f"fitreel watch {watched.run_id}"
        console.say(f"run {watched.run_id} goes on; watch it again: {again}")
        view.resume = again
        return None
    finally:
        view.close()


def follow(watched: "WatchedRun", view: "LiveView") -> "Outcome":
    """Show what a run does in a view until it ends; KeyboardInterrupt if that was stopped."""
    has_begun = False
    while True:
        # Asked first: what comes before the end is read after it.
        outcome = watched.outcome()
        if not has_begun and (found := watched.begin()):
            view.start(found.dataset, found.probes, found.steps, found.name)
            has_begun = True
        if has_begun:
            news = watched.news(at_once=outcome is not None)
            for step, values in news.points.items():
                view.on_point(step, values)
            for frame in news.frames:
                view.on_frame(frame)
        if outcome:
            return outcome
        if not view.wait(PAUSE):
            raise KeyboardInterrupt


def described(watched: "WatchedRun", outcome: "Outcome") -> str:
    """Return how a run ended, and what can be done with it."""
    text = outcome.status or outcome.reason
    if outcome.resumable:
        text += f"; resume it with: fitreel resume {watched.run_id}"
    command = "open" if watched.has_player else "show"
    return f"{text}; {command} it with: fitreel {command} {watched.run_id}"
