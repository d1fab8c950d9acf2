"""Models: ids in, logits out. See protocol.py for the one door of them all."""
