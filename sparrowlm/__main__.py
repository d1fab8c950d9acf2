"""Lets `python -m sparrowlm` do what the command `sparrow` does."""

from sparrowlm.cli import main

main()
