"""The version: read by the package, the build and the tags of a run."""

__version__ = "0.2.0"
