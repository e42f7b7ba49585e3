from .archive import Archive as Archive
from .engines import Engine as Engine, LocalEngine as LocalEngine, open_engine as open_engine
from .films import film_trial as film_trial, render_films as render_films
from .pictures.figure import draw_search as draw_search
from .results import Results as Results, save_trials as save_trials
from .search import Search as Search, open_study as open_study
from .trials import Outcome as Outcome, Trial as Trial
