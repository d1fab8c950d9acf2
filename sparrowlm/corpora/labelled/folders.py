"""One folder per label: sports/1.txt, sports/2.txt, news/1.txt, …; train/sports/1.txt as well."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from statistics import median

from sparrowlm.corpora.labelled.opening import kind_of, member_name
from sparrowlm.corpora.labelled.parts import is_part_name
from sparrowlm.corpora.readers import visible_members
from sparrowlm.corpora.sources import Source

# Larger files are books: somebody's library, sorted into folders.
_LONGEST_TEXT_BYTES = 1 << 16
_NO_TEXTS = (".md", ".rst", ".py", ".log", ".conll", ".bio", ".bioes", ".bmes", ".iob", ".ner")


def label_of(name: str) -> str | None:
    """Return the label that a path says, None when the file lies in no folder.

    >>> label_of("train/体育/1.txt"), label_of("1.txt"), label_of("train/1.txt")
    ('体育', None, None)
    """
    folders = _folders(name)
    return folders[-1] if folders else None


def _folders(name: str) -> list[str]:
    """Return the folders of a path that are no parts of the data and no archives."""
    parts = PurePosixPath(name).parts[:-1]
    return [part for part in parts if not is_part_name(part) and kind_of(part)[0] != "zip"]


def _listed(sources: Sequence[Source]) -> Iterator[Source]:
    """Put the members of archives in the place of the archives."""
    for source in sources:
        if source.path is None or kind_of(source.name)[0] != "zip":
            yield source
            continue
        try:
            with zipfile.ZipFile(source.path) as archive:
                for member in visible_members(archive):
                    name = f"{source.name}/{member_name(member)}"
                    yield Source(name, source.path, size_bytes=member.file_size)
        except (OSError, zipfile.BadZipFile):
            yield source


def are_label_folders(sources: Sequence[Source], is_asked: bool) -> bool:
    """Say whether files lie in one folder per label.

    Args:
        sources: all files.
        is_asked: the user asked for classification: then large files are accepted too.

    Returns:
        Whether there are at least two such folders, holding plain texts only, short ones.
    """
    files = [source for source in _listed(sources) if source.path is not None]
    labelled = [source for source in files if label_of(source.name) is not None]
    if not labelled or not all(_is_plain(source.name) for source in labelled):
        return False
    counts = Counter(label_of(source.name) for source in labelled)
    depths = {len(_folders(source.name)) for source in labelled}
    if len(counts) < 2 or len(depths) > 1 or len(labelled) < 0.9 * len(files):
        return False
    is_short = median(source.size_bytes for source in labelled) <= _LONGEST_TEXT_BYTES
    return is_asked or (is_short and median(counts.values()) >= 2)


def _is_plain(name: str) -> bool:
    stem = name.lower().removesuffix(kind_of(name)[1])
    return kind_of(name)[0] == "text" and not stem.endswith(_NO_TEXTS)
