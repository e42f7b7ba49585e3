from .figures import scatter as scatter
from .film import render as render
from .final_weights import draw_weights as draw_weights
from .profile import draw_profile as draw_profile
from .stills import still_pictures as still_pictures
