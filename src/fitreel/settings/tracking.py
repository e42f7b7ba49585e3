"""The settings of tracking: how long to wait for a store."""

PATIENCE = 180.0  # seconds without a sign of the store until a finished run is left to sync
