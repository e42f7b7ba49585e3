"""Many trainings for one question: what is tried, how it is trained, what came of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
