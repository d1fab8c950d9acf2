"""A model in one GGUF file: what stands in a directory's files stands in tensors of bytes here.

    file/<name>   the file `name` of a model directory, byte for byte
    others        the weights of a network, a decoder's under llama.cpp's names; they and the
                  tokenizer's settings take the places of model.safetensors and tokenizer.json

Whatever stands in tensors of bytes is handed out only after the check of its SHA-256, which the
manifest knows.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sparrowlm.foundation.errors import DamagedFileError, ModelError
from sparrowlm.foundation.mapped_bytes import MappedBytes
from sparrowlm.runtime.directory import ModelDirectory, ModelFiles
from sparrowlm.runtime.gguf_reading import SUFFIX, GgufFile

FILE_PREFIX = "file/"
MANIFEST_KEY = "sparrow.manifest"
# What a decoder computes; its number counts up when the kernels compute other bits.
GOLDEN_KEY = "sparrow.golden.hash_2"
NETWORK_KIND = "transformer"


class GgufModelFiles(ModelFiles):
    """Files inside of a GGUF file.

    Args:
        path: of the GGUF file.

    Raises:
        ModelError: there is no such file.
        DamagedFileError: it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = GgufFile(path)
        self.manifest = self._manifest()

    @property
    def holds_network(self) -> bool:
        """Say whether a network's weights stand in the file as tensors."""
        return "token_embd.weight" in self.file.tensors

    def holds(self, name: str) -> bool:
        """Say whether there is a file of this name."""
        return FILE_PREFIX + name in self.file.tensors

    def mapped(self, name: str) -> MappedBytes:
        """Return one file where it lies; see ModelFiles.mapped."""
        tensor = self.file.tensors.get(FILE_PREFIX + name)
        expected = self.manifest.get("files", {}).get(name)
        if tensor is None or expected is None:
            raise self._damaged(f"{name} is not listed")
        if hashlib.sha256(tensor.data.data).hexdigest() != expected["sha256"]:
            raise self._damaged(f"{name}: SHA-256 differs")
        return MappedBytes(self.path, tensor.data)

    def read(self, name: str) -> bytes:
        """Return the content of one file; see ModelFiles.read."""
        return self.mapped(name).data.tobytes()

    def num_bytes(self) -> int:
        """Return how much the file takes."""
        return len(self.file.content)

    def answers_checksum(self) -> str:
        """Return the SHA-256 of the whole file; see ModelFiles.answers_checksum."""
        return hashlib.sha256(self.file.content.data).hexdigest()

    def _manifest(self) -> dict[str, Any]:
        text = self.file.settings.get(MANIFEST_KEY, "{}")
        try:
            found = json.loads(text)
        except (TypeError, ValueError) as error:
            raise self._damaged(f"{MANIFEST_KEY}: {error}") from error
        if not isinstance(found, dict):
            raise self._damaged(MANIFEST_KEY)
        # A file of other hands has a network and nothing else.
        return found if "kind" in found else {**found, "kind": NETWORK_KIND}

    def _damaged(self, reason: str) -> DamagedFileError:
        return DamagedFileError("foundation.file-damaged", path=self.path, reason=reason)


def model_files(path: Path) -> ModelFiles:
    """Open what a model consists of: a directory, or a GGUF file.

    Raises:
        ModelError: there is no model, or one of a newer format.
        DamagedFileError: the manifest fails its check, or the file is damaged.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        return ModelDirectory(path)
    if path.is_dir():
        raise ModelError("runtime.no-model", path=path)
    return GgufModelFiles(path)
