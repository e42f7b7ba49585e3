"""Everything that touches MLflow: the only package that imports it.

tracker = Tracker()
with tracker.run() as run:
    run.log_settings(TrainingSettings())
"""

from fitreel.tracking.process import following_project_runner as following_project_runner
from fitreel.tracking.reaper import examine as examine, reap as reap
from fitreel.tracking.recovery import (
    Interrupted as Interrupted,
    interrupted as interrupted,
    sync as sync,
)
from fitreel.tracking.run import Run as Run
from fitreel.tracking.source import Source as Source
from fitreel.tracking.tracker import Tracker as Tracker
