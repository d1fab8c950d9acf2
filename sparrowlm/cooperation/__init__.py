"""A small model that knows when to ask a larger one, and keeps what it promised about errors."""
