from .baselines import baseline_metrics as baseline_metrics, why_worse as why_worse
from .evaluation import (
    evaluate as evaluate,
    explained as explained,
)
from .files import (
    load_history as load_history,
    load_weights as load_weights,
    save_frames as save_frames,
    save_weight_table as save_weight_table,
    save_weights as save_weights,
)
from .history import (
    History as History,
    check_frames as check_frames,
    first_difference as first_difference,
)
from .loop import Fit as Fit, TrainingDiverged as TrainingDiverged, fit as fit
from .loss_file import load_losses as load_losses, save_losses as save_losses
from .many import fit_many as fit_many
from .members import Trained as Trained
from .network import Network as Network
from .onnx_export import write_onnx as write_onnx
from .predictor import Predictor as Predictor
from .provenance import (
    read_provenance as read_provenance,
    save_provenance as save_provenance,
)
from .scores import root_error as root_error
from .standstill import why_nothing_learned as why_nothing_learned
from .state import Checkpoint as Checkpoint, Hook as Hook, Training as Training
from .weights import Weights as Weights
