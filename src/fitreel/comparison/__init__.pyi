from .captions import run_captions as run_captions
from .compared import ComparedRun as ComparedRun, FilmedRun as FilmedRun, OwnRun as OwnRun
from .figure import draw_comparison as draw_comparison
from .grid import count_frames as count_frames, is_narrow as is_narrow, render_grid as render_grid
from .runs import Comparison as Comparison, compare as compare
from .table import comparison_table as comparison_table
