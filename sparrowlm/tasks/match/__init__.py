"""Do two questions mean the same, and which stored answer belongs to a question."""
