"""What the engine needs to know of a tagger that runs without Python.

    sparrow.task.scheme, types     the labels
    sparrow.task.columns           what its field looks at, see tasks/tag/features.py
    sparrow.task.templates         joins of columns, "0:-1 3:0" each: a column and how far away
    sparrow.task.network_columns   what its network is told of a unit
    sparrow.task.parts, weight.*   the blend; entries, entry_labels: the user's dictionary

The weights stand in crf.bin and encoder.bin, as Python reads them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.mapped_bytes import MappedBytes
from sparrowlm.runtime.directory import CRF_FILE, DICTIONARY_FILE, ENCODER_FILE
from sparrowlm.tasks.tag.blending import FLOOR
from sparrowlm.tasks.tag.dictionary import UserDictionary
from sparrowlm.tasks.tag.floor import TagFloor
from sparrowlm.tasks.tag.model import TaggerSettings
from sparrowlm.tasks.tag.profiles import COLUMNS, NETWORK_COLUMNS, Profile

KINDS = ("tag", "intent", "segment")
WORDS_TENSOR, TAGS_TENSOR = "words/chinese", "words/tags"
WORDS_FILE = Path(__file__).parents[1] / "text" / "chinese_words.bin"
TAGS_FILE = WORDS_FILE.with_name("chinese_tags.bin")
_GAZETTEER = "gazetteer"

Files = Mapping[str, bytes]
Bytes = np.ndarray[Any, np.dtype[np.int8]]


def dictionaries_of(files: Files) -> dict[str, Bytes]:
    """Return the dictionaries that a tagger asks about Chinese words, by the names of tensors."""
    profile = _floor(files).features.profile
    if profile == "words":
        return {}
    found = {WORDS_TENSOR: np.frombuffer(WORDS_FILE.read_bytes(), dtype=np.int8)}
    if profile == "characters":
        found[TAGS_TENSOR] = np.frombuffer(TAGS_FILE.read_bytes(), dtype=np.int8)
    return found


def write_tagger(writer: Any, files: Files, settings: TaggerSettings) -> None:  # noqa: ANN401
    """Write the settings of a tagger.

    Args:
        writer: a GGUFWriter.
        files: of a model directory.
        settings: from sparrow.json.
    """
    floor = _floor(files)
    writer.add_string("sparrow.task.scheme", floor.labels.scheme)
    writer.add_array("sparrow.task.types", list(floor.labels.types))
    writer.add_uint32("sparrow.task.joins_runs", int(floor.joins_runs))
    _write_blend(writer, settings)
    more = () if floor.features.gazetteer is None else (_GAZETTEER,)
    profile: Profile = floor.features.profile
    if FLOOR in settings.blend.weights:
        writer.add_array("sparrow.task.columns", [*COLUMNS[profile], *more])
        writer.add_array("sparrow.task.templates", _templates(floor))
    if ENCODER_FILE in files:
        writer.add_array("sparrow.task.network_columns", [*NETWORK_COLUMNS[profile], *more])
        writer.add_uint32("sparrow.task.hides_rare", int(profile == "words"))
    if DICTIONARY_FILE in files:
        _write_entries(writer, UserDictionary(json.loads(files[DICTIONARY_FILE])))


def _write_blend(writer: Any, settings: TaggerSettings) -> None:  # noqa: ANN401 - GGUFWriter
    blend = settings.blend
    writer.add_array("sparrow.task.parts", list(blend.weights))
    for name, weight in blend.weights.items():
        writer.add_float64(f"sparrow.task.weight.{name}", weight)
    for name in ("bias", "slope", "offset", "intent_weight"):
        writer.add_float64(f"sparrow.task.{name}", getattr(blend, name))
    if settings.intents:
        writer.add_array("sparrow.task.intents", list(settings.intents))


def _write_entries(writer: Any, dictionary: UserDictionary) -> None:  # noqa: ANN401 - GGUFWriter
    if len(dictionary):
        writer.add_array("sparrow.task.entries", list(dictionary.entries))
        writer.add_array("sparrow.task.entry_labels", list(dictionary.entries.values()))


def _templates(floor: TagFloor) -> list[str]:
    parts = floor.features.templates().parts
    return [" ".join(f"{column}:{offset}" for column, offset in one) for one in parts]


def _floor(files: Files) -> TagFloor:
    content = np.frombuffer(files[CRF_FILE], dtype=np.uint8)
    return TagFloor.load(MappedBytes(Path(CRF_FILE), content))
