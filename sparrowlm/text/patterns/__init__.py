"""What a text may look like: choices, regular expressions, JSON; as automata over bytes."""

from sparrowlm.text.patterns.automaton import Automaton
from sparrowlm.text.patterns.json_references import without_references
from sparrowlm.text.patterns.json_schema import json_pattern
from sparrowlm.text.patterns.parsing import parse_pattern
from sparrowlm.text.patterns.tree import Pattern, choice, literal

__all__ = [
    "Automaton", "Pattern", "choice", "json_pattern", "literal", "parse_pattern",
    "without_references",
]  # fmt: skip
