from .archive import Archive as Archive
from .figure import draw_search as draw_search
from .films import film_trial as film_trial, render_films as render_films
from .results import Results as Results, save_trials as save_trials
from .search import (
    Engine as Engine,
    LocalEngine as LocalEngine,
    Search as Search,
    open_engine as open_engine,
    open_study as open_study,
)
from .trials import Outcome as Outcome, Trial as Trial
