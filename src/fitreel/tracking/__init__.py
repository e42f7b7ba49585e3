"""Everything that touches MLflow: the only package that imports it.

tracker = Tracker()
with tracker.run() as run:
    run.log_settings(TrainingSettings())
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
