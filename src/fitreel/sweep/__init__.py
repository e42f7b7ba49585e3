"""Many trainings for one question: what is tried, how it is trained, what came of it."""
