"""Run fitreel out of a clone: python -m pipeline run."""

import sys
from pathlib import Path

# MLflow's environments do not install fitreel: the code is the one beside this file.
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from pipeline.app import main

if __name__ == "__main__":
    main()
