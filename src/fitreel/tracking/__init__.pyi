from .best import best_runs as best_runs, metric_of_runs as metric_of_runs
from .checkup import StoreCheckup as StoreCheckup
from .completion import complete_run as complete_run
from .download import fetch as fetch
from .facts import has_edited_points as has_edited_points
from .filming import film as film
from .finder import named_runs as named_runs
from .image_films import check_ours as check_ours, film_file as film_file
from .listing import newest_runs as newest_runs
from .managers import (
    check_conda as check_conda,
    check_local as check_local,
    check_uv as check_uv,
    check_virtualenv as check_virtualenv,
)
from .project_runner import following_project_runner as following_project_runner
from .reaper import examine as examine, reap as reap
from .recovery import sync as sync
from .resumption import (
    Interrupted as Interrupted,
    interrupted as interrupted,
    interrupted_runs as interrupted_runs,
    store_uri as store_uri,
    waiting_run as waiting_run,
)
from .run import Run as Run
from .source import Source as Source
from .step_images import log_step_images as log_step_images
from .store.patience import Patience as Patience
from .tracker import Tracker as Tracker
from .ui import server as server, server_of as server_of
from .watching import Outcome as Outcome, WatchedRun as WatchedRun
