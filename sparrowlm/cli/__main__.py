"""Lets `python -m sparrowlm.cli` do what the command `sparrow` does."""

from sparrowlm.cli import main

main()
