"""The compiled part is found where it was built, and can be switched off."""

from __future__ import annotations

import builtins
import importlib

import pytest

from sparrowlm.foundation import native_part as room


def test_the_environment_switches_it_off(monkeypatch):
    monkeypatch.setenv("SPARROW_NATIVE", "0")
    assert room.native_part() is None


def test_a_missing_module_is_no_error(monkeypatch):
    monkeypatch.setenv("SPARROW_NATIVE", "1")
    room._imported.cache_clear()

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert room.native_part() is None
    room._imported.cache_clear()


def test_it_offers_all_the_loops():
    native = room.native_part()
    if native is None:
        pytest.skip("the compiled part is not built")
    offered = set(dir(native)) - set(dir(builtins))
    assert {"count_level", "score", "distributions", "train_word_block", "NgramTable"} <= offered
