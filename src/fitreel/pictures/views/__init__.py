"""The views: how each kind of predictions is drawn, frame by frame."""
