"""From data, machine and budget to a plan: how large, how long, how good, before the start."""
