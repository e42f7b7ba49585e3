"""The integrations: films of trainings by other frameworks, each a module of its own."""
