"""The journal: what a run computed, on the local disk, before the store has it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
