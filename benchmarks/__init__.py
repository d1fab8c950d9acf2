"""Figures beside those of other tools; every module is a command: python -m benchmarks.NAME."""
