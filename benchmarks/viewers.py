"""The viewers: a training that Chromium shows on a live page while it runs."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import fitreel
from benchmarks.processes import process
from fitreel.live.browser import BrowserView
from fitreel.live.hook import LiveHook
from fitreel.settings.metrics import seconds_metric

CHROMIUM = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0")
BROWSER = f"{' '.join(CHROMIUM)} %s"


def watched_seconds(dataset: fitreel.Dataset, settings: fitreel.TrainingSettings) -> float:
    """Return the seconds of a training whose page is open from the beginning."""
    view = BrowserView()
    # Its processes may still write when it has ended.
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [*CHROMIUM, f"--user-data-dir={profile}", view.address]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as browser:
            while not view.has_viewer:
                time.sleep(0.1)
            started = time.perf_counter()
            fitreel.fit(dataset, settings, LiveHook(view, dataset, settings))
            took = time.perf_counter() - started
            view.close()
            browser.terminate()
    return took


def train_seconds(command: Sequence[str], directory: Path, variables: Mapping[str, str]) -> float:
    """Return the seconds of the stage train of a command that prints its run as JSON."""
    found = json.loads(process(command, directory, variables))
    return float(found["metrics"][seconds_metric("train")])
