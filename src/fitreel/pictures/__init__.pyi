from .figures import draw_weights as draw_weights, scatter as scatter
from .film import render as render
from .live import LiveWindow as LiveWindow
