"""The tracking: runs in an MLflow store, read and written.

tracker = Tracker()
with tracker.run() as run:
    run.log_settings(TrainingSettings())
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
