"""The choice of a view: which one shows a reel."""

from matplotlib.figure import Figure

from fitreel.pictures.views.agreement import AgreementView
from fitreel.pictures.views.cell import Cell
from fitreel.pictures.views.confidence import ConfidenceView
from fitreel.pictures.views.curve import CurveView
from fitreel.pictures.views.field import FieldView
from fitreel.pictures.views.regions import RegionsView
from fitreel.pictures.views.view import View
from fitreel.reel.probes import Kind, kind_of
from fitreel.reel.recording import Recording

VIEWS: dict[Kind, type[View]] = {
    "curve": CurveView,
    "field": FieldView,
    "regions": RegionsView,
    "agreement": AgreementView,
    "confidence": ConfidenceView,
}


def new_view(figure: Figure, reel: Recording, cell: Cell) -> View:
    """Draw the scenery of the view that fits a reel."""
    return VIEWS[kind_of(reel.dataset)](figure, reel, cell)  # type: ignore[call-arg]
