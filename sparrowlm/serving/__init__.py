"""Models for other programs and for people to look at: an OpenAI-compatible server and a page."""
