"""Training everything this repository ships: `python -m core.training --help`."""
