from .dataset import Dataset as Dataset, Rows as Rows
from .drawing import generate as generate, generate_unseen as generate_unseen
from .files import load_dataset as load_dataset, save_dataset as save_dataset
from .scaling import Scaling as Scaling
from .schema import Column as Column, Schema as Schema
from .table.encoding import batches as batches, encode as encode
from .table.fetching import absolute_address as absolute_address
from .table.kept import KeptTable as KeptTable, keep_files as keep_files
from .table.loading import load_table as load_table
from .table.predicting import predict_file as predict_file
from .table.reading import Table as Table, read_table as read_table
