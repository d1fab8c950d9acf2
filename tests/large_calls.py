"""What the tests of the large model's client ask, and how patient they are."""

from __future__ import annotations

from large_stand_in import MODEL

from sparrowlm.cooperation.large import ChatRequest, LargeSettings, Message, Patience, Persistence

QUICK = Patience(deadline_s=1.0, first_byte_s=0.3, idle_s=0.3)
EAGER = Persistence(first_wait_s=0.01, longest_wait_s=0.02, breaker_rest_s=0.2)


def chat(text, **more):
    return ChatRequest((Message("user", text),), **more)


def settings(server, **more):
    return LargeSettings(server.url, MODEL, **{"patience": QUICK, "persistence": EAGER, **more})
