"""The reel: what a film is made from, of any trained model."""
