from .data.dataset import Dataset as Dataset
from .data.drawing import generate as generate
from .data.files import load_dataset as load_dataset
from .data.table.loading import load_table as load_table
from .pages.player import write_player as write_player
from .pages.reel_player import write_reel_player as write_reel_player
from .pictures.figures import scatter as scatter
from .pictures.film import render as render, render_reel as render_reel
from .pictures.final_weights import draw_weights as draw_weights
from .reel.reel import Reel as Reel
from .settings.experiment import (
    DataSettings as DataSettings,
    EvaluationSettings as EvaluationSettings,
    FilmSettings as FilmSettings,
    TrainingSettings as TrainingSettings,
)
from .settings.table import TableSettings as TableSettings
from .tracking.filming import film as film
from .training.evaluation import evaluate as evaluate
from .training.history import History as History
from .training.loop import TrainingDiverged as TrainingDiverged, fit as fit
from .training.many import fit_many as fit_many
from .training.network import Network as Network
from .training.weights import Weights as Weights

__version__: str
__all__: list[str]
