from __future__ import annotations

import pickle

import pytest

from sparrowlm.foundation import errors
from sparrowlm.foundation.errors import SettingError, SparrowError


def _tree(kind: type[SparrowError]) -> list[type[SparrowError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _tree(child))]


def test_errors_are_all_drawn_in_the_tree():
    for kind in _tree(SparrowError):
        if kind.__module__ == errors.__name__:
            assert kind.__name__ in (errors.__doc__ or "")


def test_errors_only_wrong_settings_exit_with_two():
    for kind in _tree(SparrowError):
        assert kind.exit_code == (2 if issubclass(kind, SettingError) else 1)


def test_errors_survive_the_way_home_from_a_worker():
    error = SettingError("foundation.size-unreadable", received="4 apples")
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is SettingError
    assert (twin.code, twin.fields) == (error.code, error.fields)


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({"SPARROW_LANG": "zh"}, "无法"),
        ({"SPARROW_LANG": "en", "LC_ALL": "zh_CN.UTF-8"}, "Cannot"),
        ({"LC_ALL": "zh_TW.UTF-8", "LANG": "en_US"}, "无法"),
        ({"LANG": "C.UTF-8"}, "Cannot"),
        ({}, "Cannot"),
    ],
)
def test_errors_speak_the_language_of_the_user(monkeypatch, variables, word):
    for name in ("SPARROW_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert word in str(SettingError("foundation.size-unreadable", received="x"))
