"""From bytes to clean text, words and token ids, and back. Knows no corpus and no model."""
