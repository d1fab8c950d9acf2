"""The two files of a tokenizer, as transformers reads them, with a checksum as Sparrow wants it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError, ModelError
from sparrowlm.foundation.mapped_bytes import FileSource, mapped, path_of
from sparrowlm.text.tokenizers.codec import SEPARATOR, SEPARATOR_ID, TokenCodec

TOKENIZER_FILE = "tokenizer.json"
_NORMALIZER = re.compile(rb'"normalizer": ?\{')
CONFIG_FILE = "tokenizer_config.json"
_KIND_KEY = "sparrow_kind"
_CHECKSUM_KEY = "sparrow_sha256"


def added_tokens() -> list[dict[str, Any]]:
    """Describe the separator as the one special token."""
    return [
        {
            "id": SEPARATOR_ID,
            "content": SEPARATOR,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
    ]


def _config(kind: str, checksum: str) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SEPARATOR,
        "eos_token": SEPARATOR,
        "pad_token": SEPARATOR,
        "add_bos_token": False,
        "add_eos_token": False,
        # A text that spells "<|document|>" is text: transformers must not make it the separator.
        "split_special_tokens": True,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1_000_000_000,
        _KIND_KEY: kind,
        _CHECKSUM_KEY: checksum,
    }


def save_tokenizer(directory: Path, kind: str, description: Mapping[str, Any]) -> None:
    """Write tokenizer.json and tokenizer_config.json, each atomically.

    Args:
        directory: created when missing.
        kind: "character", "bpe" or "word".
        description: the content of tokenizer.json.
    """
    # Nobody reads thousands of pieces line by line, and half of the file would be white space.
    text = json.dumps(description, ensure_ascii=False, separators=(",", ":"))
    content = text.encode("utf-8") + b"\n"
    atomic.write_bytes(directory / TOKENIZER_FILE, content)
    checksum = hashlib.sha256(content).hexdigest()
    atomic.write_json(directory / CONFIG_FILE, _config(kind, checksum))


def load_tokenizer(directory: Path) -> TokenCodec:
    """Load a tokenizer that Sparrow saved.

    Args:
        directory: a model or tokenizer directory.

    Raises:
        ModelError: there is no tokenizer, or it is not one of ours.
        DamagedFileError: a file fails its checks.
    """
    directory = Path(directory)
    return load_tokenizer_files(directory / CONFIG_FILE, directory / TOKENIZER_FILE)


def load_tokenizer_files(config_source: FileSource, source: FileSource) -> TokenCodec:
    """Load a tokenizer whose two files may lie in different places.

    Args:
        config_source: tokenizer_config.json.
        source: tokenizer.json.

    Raises:
        ModelError: there is no tokenizer, or it is not one of ours.
        DamagedFileError: a file fails its checks.
    """
    config_path, path = path_of(config_source), path_of(source)
    content = _read_bytes(source)
    config = atomic.json_object(_read_bytes(config_source), config_path)
    kind = config.get(_KIND_KEY)
    if kind not in ("character", "bpe", "word"):
        raise ModelError("text.foreign-tokenizer", path=config_path.parent)
    expected = _config(kind, hashlib.sha256(content).hexdigest())
    if expected[_CHECKSUM_KEY] != config.get(_CHECKSUM_KEY):
        raise DamagedFileError("foundation.file-damaged", path=path, reason="checksum differs")
    wrong = [key for key, value in expected.items() if config.get(key, value) != value]
    if wrong:
        reason = f"unexpected {wrong[0]}"
        raise DamagedFileError("foundation.file-damaged", path=config_path, reason=reason)
    return _rebuild(kind, content)


def _rebuild(kind: str, content: bytes) -> TokenCodec:
    from sparrowlm.text.tokenizers import byte_pair, character, uncased, word

    if kind == "character":
        return character.from_description(json.loads(content))
    # Asked of the bytes: a quotation mark inside a string has a backslash before it.
    is_uncased = _NORMALIZER.search(content) is not None
    if is_uncased:
        description = {**json.loads(content), "normalizer": None}
        content = json.dumps(description, ensure_ascii=False).encode()
    codec = byte_pair.BytePairCodec(content) if kind == "bpe" else word.WordCodec(content)
    return uncased.UncasedCodec(codec) if is_uncased else codec


def _read_bytes(source: FileSource) -> bytes:
    if not path_of(source).is_file():
        raise ModelError("text.no-tokenizer", path=path_of(source))
    return mapped(source).data.tobytes()
