"""The delivery: from the journal into MLflow."""
