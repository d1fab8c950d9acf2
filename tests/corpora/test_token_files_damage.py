"""Token files give back what was written; every cut and every flipped bit is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.corpora.token_files import read_tokens, write_tokens
from sparrowlm.foundation.errors import DamagedFileError

MARK = bytes(range(16))
DOCUMENTS = st.lists(st.lists(st.integers(1, 299), max_size=9), max_size=9)


def written(path, documents, vocab_size=300):
    batches = [(np.array(ids, dtype=np.int32), True, len(ids)) for ids in documents]
    write_tokens(path, batches, vocab_size, 0, MARK)
    return path


@given(DOCUMENTS, st.sampled_from([300, 1 << 16, (1 << 16) + 1]))
def test_token_files_give_back_what_was_written(tmp_path_factory, documents, vocab_size):
    path = written(tmp_path_factory.mktemp("ids") / "x.ids", documents, vocab_size)
    split = read_tokens(path, MARK)
    wanted = [i for ids in documents for i in (0, *ids)] + [0] * bool(documents)
    assert split.ids.tolist() == wanted
    assert split.ids.dtype.itemsize == (2 if vocab_size <= 1 << 16 else 4)
    assert split.num_documents == len(documents)
    assert split.num_characters == sum(map(len, documents))
    assert [wanted[start] for start in split.document_starts] == [0] * len(documents)


def test_token_files_of_another_corpus_are_refused(tmp_path):
    path = written(tmp_path / "x.ids", [[1, 2, 3]])
    read_tokens(path)
    with pytest.raises(DamagedFileError, match="another corpus"):
        read_tokens(path, bytes(16))
    with pytest.raises(DamagedFileError):
        read_tokens(tmp_path / "missing.ids")


def test_token_files_every_cut_and_every_flipped_bit_is_refused(tmp_path):
    path = written(tmp_path / "x.ids", [[1, 2, 3], [4, 5]])
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(DamagedFileError):
            read_tokens(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(DamagedFileError):
        read_tokens(path)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError):
            read_tokens(path)
