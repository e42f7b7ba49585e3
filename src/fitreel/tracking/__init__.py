"""Everything that touches MLflow: the only package that imports it.

tracker = Tracker()
with tracker.run() as run:
    run.log_settings(TrainingSettings())
"""

from fitreel.tracking.run import LossLog as LossLog, Run as Run
from fitreel.tracking.source import Source as Source
from fitreel.tracking.tracker import Tracker as Tracker
