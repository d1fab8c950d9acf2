"""Completing text: next words, continuations, and how surprised a model is."""
