"""The commands: options in, results logged."""
