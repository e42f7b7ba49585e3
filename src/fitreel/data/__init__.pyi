from .dataset import Dataset as Dataset
from .drawing import generate as generate, generate_unseen as generate_unseen
from .files import load_dataset as load_dataset, save_dataset as save_dataset, sha256 as sha256
