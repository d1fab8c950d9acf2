"""Which files an input means: folders walked in order, standard input kept, doubles left out."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DataError, SettingError

STANDARD_INPUT = "-"
_BLOCK_BYTES = 1 << 20
# A directory with this file is a model of ours: its report and card are not the user's text.
_MODEL_MARK = "sparrow.json"


@dataclass(frozen=True)
class Source:
    """One input: a file, or a text in memory.

    Args:
        name: what reports call it; for files in a folder the path below the folder.
        path: the file, None for a text in memory.
        text: the text in memory, None for a file.
        size_bytes: size on disk, 0 for a text in memory.
    """

    name: str
    path: Path | None = None
    text: str | None = None
    size_bytes: int = 0


def find_sources(
    inputs: Sequence[Path | str],
    report: ReadingReport,
    workspace: Path,
    excluded: frozenset[Path] = frozenset(),
) -> list[Source]:
    """List the files behind inputs.

    Args:
        inputs: files, folders and "-" as paths; strings are documents themselves.
        report: receives folders that cannot be listed.
        workspace: directory of the preparation: never read as input; standard input is kept in it.
        excluded: resolved files that belong to another side.

    Returns:
        Sources in the order given, folders sorted by path, every file once.

    Raises:
        SettingError: there is no input at all.
        DataError: a path does not exist.
    """
    if not inputs:
        raise SettingError("corpora.no-input")
    sources: list[Source] = []
    seen = set(excluded)
    for number, item in enumerate(inputs):
        if isinstance(item, str):
            sources.append(Source(f"[{number}]", text=item))
            continue
        for source in _of_path(item, report, workspace):
            resolved = source.path.resolve() if source.path else Path()
            if resolved not in seen:
                seen.add(resolved)
                sources.append(source)
    return sources


def _of_path(path: Path, report: ReadingReport, workspace: Path) -> Iterator[Source]:
    if str(path) == STANDARD_INPUT:
        yield _kept_stream(path, workspace)
        return
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if isinstance(error, PermissionError):
            raise DataError("corpora.path-unreadable", path=path, reason=error.strerror) from error
        raise DataError("corpora.path-missing", path=path, directory=Path.cwd()) from error
    if stat.S_ISDIR(mode):
        yield from _in_folder(path, report, workspace.resolve())
    elif stat.S_ISREG(mode):
        yield Source(path.name, path, size_bytes=path.stat().st_size)
    else:  # a pipe such as <(command)
        yield _kept_stream(path, workspace)


def _in_folder(folder: Path, report: ReadingReport, workspace: Path) -> Iterator[Source]:
    def unreadable(error: OSError) -> None:
        report.skip(str(error.filename), f"skipped-unreadable:{error.strerror}")

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and (Path(parent) / name).resolve() != workspace
            and not (Path(parent) / name / _MODEL_MARK).exists()
        )
        for name in sorted(files):
            path = Path(parent) / name
            if not name.startswith(".") and path.is_file():
                below = path.relative_to(folder).as_posix()
                yield Source(below, path, size_bytes=path.stat().st_size)


def _kept_stream(path: Path, workspace: Path) -> Source:
    """Copy a stream that can be read only once into the workspace."""
    kept = workspace / "standard-input.txt"
    if str(path) == STANDARD_INPUT:
        if sys.stdin is None or sys.stdin.isatty():
            raise DataError("corpora.stdin-is-terminal")
        with atomic.opened(kept) as copy:
            while block := sys.stdin.buffer.read(_BLOCK_BYTES):
                copy.write(block)
    else:
        with path.open("rb") as stream, atomic.opened(kept) as copy:
            while block := stream.read(_BLOCK_BYTES):
                copy.write(block)
    return Source(str(path), kept, size_bytes=kept.stat().st_size)


def sources_digest(sources: Sequence[Source]) -> bytes:
    """Return 16 bytes that change with any name or byte of the sources."""
    digest = hashlib.blake2b(digest_size=16)
    for source in sources:
        digest.update(f"{len(source.name)}:{source.name}".encode("utf-8", "surrogateescape"))
        if source.path is None:
            content = (source.text or "").encode("utf-8", "surrogatepass")
            digest.update(hashlib.blake2b(content, digest_size=16).digest())
            continue
        digest.update(_content_digest(source.path))
    return digest.digest()


def _content_digest(path: Path) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as handle:
            while block := handle.read(_BLOCK_BYTES):
                digest.update(block)
    except OSError:
        return b"unreadable"
    return digest.digest()
