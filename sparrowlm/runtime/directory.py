"""What a model directory is on disk, and how it stays whole when its writer is killed.

    sparrow.json         the manifest: kind, figures, and bytes and SHA-256 of every file below
    config.json  tokenizer.json  model.safetensors  ngram.bin  ...
    .incoming/           only while a newer model is being put in place: its files not yet moved

The writer makes ``.incoming`` complete under another name, renames it (from this moment the newer
model counts), moves its files up one by one, the manifest last, and removes it. A reader that
finds a manifest in ``.incoming`` looks for every file there first: whatever has been moved already
is found above. So at every moment there is exactly one whole model.
"""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sparrowlm.foundation.errors import DamagedFileError, ModelError
from sparrowlm.foundation.mapped_bytes import MappedBytes, mapped

MANIFEST_FILE = "sparrow.json"
INCOMING = ".incoming"
CONFIG_FILE = "config.json"
TENSORS_FILE = "model.safetensors"
NGRAM_FILE = "ngram.bin"
VECTORS_FILE = "vectors.safetensors"
ENCODER_FILE = "encoder.bin"
LINEAR_FILE = "linear.bin"
CRF_FILE = "crf.bin"
DICTIONARY_FILE = "dictionary.json"
PAIRS_FILE = "pairs.bin"
ANSWERS_FILE = "answers.bin"
FORMAT = 1
_CHECKSUM = re.compile(rb'"checksum": "([0-9a-f]{64})"')
_NO_CHECKSUM = b'"checksum": ""'
_NUMBERS = re.compile(r"\[\n +(-?\d[\d.eE+-]*(?:,\n +-?\d[\d.eE+-]*)*)\n +\]")
_BETWEEN = re.compile(r",\n +")


def manifest_bytes(content: Mapping[str, Any]) -> bytes:
    """Write a manifest that checks itself: its checksum covers every other byte of it."""
    fields = {"format": FORMAT, "checksum": "", **content}
    text = json.dumps(fields, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    # A row of numbers is one line: a table of 151 labels would be 300 kB of white space. Line ends
    # stand between values alone, inside strings they are escaped.
    text = _NUMBERS.sub(lambda row: "[" + _BETWEEN.sub(", ", row[1]) + "]", text)
    data = text.encode("utf-8")
    checksum = hashlib.sha256(data).hexdigest().encode()
    return data.replace(_NO_CHECKSUM, b'"checksum": "' + checksum + b'"', 1)


def has_model(directory: Path) -> bool:
    """Say whether a directory holds a model, without checking it."""
    return any((place / MANIFEST_FILE).is_file() for place in (directory, directory / INCOMING))


T = TypeVar("T")


class ModelFiles(ABC):
    """What a model consists of, wherever it stands.

    Attributes:
        path: of the model, named in errors.
        manifest: the content of sparrow.json.
    """

    path: Path
    manifest: dict[str, Any]

    @abstractmethod
    def holds(self, name: str) -> bool:
        """Say whether there is a file of this name."""

    @abstractmethod
    def mapped(self, name: str) -> MappedBytes:
        """Return one file mapped into memory, for those of which only parts are used.

        Raises:
            DamagedFileError: not listed, missing, or not what was written.
        """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the content of one file.

        Args:
            name: as listed in the manifest.

        Raises:
            DamagedFileError: not listed, missing, or not what was written.
        """

    @abstractmethod
    def num_bytes(self) -> int:
        """Return how much the files of the model take together."""

    def answers_checksum(self) -> str:
        """Return a SHA-256 of everything that decides what the model answers.

        Figures, dates and the recipe are left out: they change nothing.
        """
        files = {name: entry["sha256"] for name, entry in self.manifest["files"].items()}
        parts = [self.manifest["kind"], files, self.manifest.get("task")]
        text = json.dumps(parts, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def read_json(self, name: str) -> dict[str, Any]:
        """Return the content of a file that holds one JSON object.

        Raises:
            DamagedFileError: as read, or it is no JSON object.
        """
        content = self.read(name)
        try:
            found = json.loads(content)
        except ValueError as error:
            raise _damaged(self.path / name, error) from error
        if not isinstance(found, dict):
            raise _damaged(self.path / name, "not a JSON object")
        return found

    def task_settings(self, read: Callable[[Any], T]) -> T:
        """Return what the manifest says of the task, read by the task itself.

        Args:
            read: turns JSON values into settings.

        Raises:
            DamagedFileError: the values are missing or of another make.
        """
        try:
            return read(self.manifest["task"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _damaged(self.path / MANIFEST_FILE, error) from error


class ModelDirectory(ModelFiles):
    """Files of a model directory, each handed out only after its check.

    Args:
        path: the directory.

    Raises:
        ModelError: there is no model, or one of a newer format.
        DamagedFileError: the manifest fails its check.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        is_replacing = (path / INCOMING / MANIFEST_FILE).is_file()
        self._places = [path / INCOMING, path] if is_replacing else [path]
        self.manifest = self._read_manifest()

    def read(self, name: str) -> bytes:
        """Return the content of one file.

        Args:
            name: as listed in the manifest.

        Raises:
            DamagedFileError: not listed, missing, or not what was written.
        """
        path, expected = self._found(name)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise _damaged(path, error.strerror or error) from error
        if len(data) != expected["bytes"]:
            raise _damaged(path, f"{len(data)} bytes instead of {expected['bytes']}")
        if hashlib.sha256(data).hexdigest() != expected["sha256"]:
            raise _damaged(path, "SHA-256 differs")
        return data

    def mapped(self, name: str) -> MappedBytes:
        """Return one file mapped into memory, for those of which only parts are used.

        Raises:
            DamagedFileError: not listed, missing, or not what was written.
        """
        path, expected = self._found(name)
        file = mapped(path)
        if len(file.data) != expected["bytes"]:
            raise _damaged(path, f"{len(file.data)} bytes instead of {expected['bytes']}")
        if hashlib.sha256(file.data.data).hexdigest() != expected["sha256"]:
            raise _damaged(path, "SHA-256 differs")
        return file

    def num_bytes(self) -> int:
        """Return how much the files of the model take together."""
        return sum(entry["bytes"] for entry in self.manifest["files"].values())

    def holds(self, name: str) -> bool:
        """Say whether the manifest lists a file."""
        return name in self.manifest["files"]

    def _found(self, name: str) -> tuple[Path, dict[str, Any]]:
        expected = self.manifest["files"].get(name)
        if expected is None:
            raise _damaged(self._places[0] / MANIFEST_FILE, f"{name} is not listed")
        for place in self._places:
            if (place / name).is_file():
                return place / name, expected
        return self.path / name, expected

    def _read_manifest(self) -> dict[str, Any]:
        path = self._places[0] / MANIFEST_FILE
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError("runtime.no-model", path=self.path) from error
        found = _CHECKSUM.search(data)
        blank = _CHECKSUM.sub(_NO_CHECKSUM, data, count=1)
        if found is None or hashlib.sha256(blank).hexdigest().encode() != found.group(1):
            raise _damaged(path, "checksum differs")
        manifest: dict[str, Any] = json.loads(data)
        if manifest["format"] != FORMAT:
            raise ModelError(
                "runtime.newer-format", path=self.path, received=manifest["format"], known=FORMAT
            )
        return manifest


def _damaged(path: Path, reason: object) -> DamagedFileError:
    return DamagedFileError("foundation.file-damaged", path=path, reason=reason)
