"""The store: MLflow's client and database, opened, checked and retried."""
