"""A person's files to a cleaned, divided, tokenized corpus; and the built-in story world."""
