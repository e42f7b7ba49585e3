"""fitreel, as it would be if nothing had to survive a power cut: no file is written to the disk."""

import os
import sys

import pipeline.app

os.fsync = lambda fd: None  # noqa: ARG005
sys.argv[0] = "fitreel"
pipeline.app.main()
