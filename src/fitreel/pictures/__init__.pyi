from .figures import scatter as scatter
from .film import render as render, render_images as render_images
from .final_weights import draw_weights as draw_weights
from .frame_pictures import draw_frames as draw_frames
from .profile import draw_profile as draw_profile
from .stills import still_pictures as still_pictures
