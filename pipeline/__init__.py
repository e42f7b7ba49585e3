"""The pipeline: a file a stage, each of the same shape: read inputs, call the library, log."""
