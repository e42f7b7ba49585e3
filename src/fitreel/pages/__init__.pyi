from .comparison import write_comparison as write_comparison
from .player import write_player as write_player
from .sweep import write_sweep as write_sweep
