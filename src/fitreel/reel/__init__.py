"""The reel: what a film is made from, whoever trained."""
