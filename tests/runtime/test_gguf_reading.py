"""A GGUF file that is damaged is refused by both readers: no crash, no hang, no wrong memory."""

from __future__ import annotations

import numpy as np
import pytest
from gguf_models import gguf_mixture, gguf_model, gguf_ngram, gguf_recurrent
from small_models import small_codec

from sparrowlm.foundation.errors import DamagedFileError, ModelError, SparrowError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.runtime.gguf_loading import gguf_codec, gguf_engine, gguf_shape, gguf_tensors
from sparrowlm.runtime.gguf_reading import GgufFile
from sparrowlm.runtime.gguf_recurrent import holds_recurrent, recurrent_shape, recurrent_tensors
from sparrowlm.runtime.loading import open_model

EXTREMES = (0, 1, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    return gguf_model(tmp_path_factory.mktemp("gguf") / "m.gguf", "int4").read_bytes()


def opened(content: bytes) -> None:
    """Let the compiled reader open bytes and run what it found."""
    native = native_part()
    array = np.frombuffer(content, dtype=np.uint8)
    try:
        native.Tokenizer(array).encode("a text，文".encode())
        decoder = native.Decoder(array, "", 1, 4)
        decoder.read(decoder.start(), np.array([0, 1], dtype=np.int32))
    except (ValueError, MemoryError):
        return


def mutants(whole: bytes, count: int, seed: int) -> list[bytes]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        content = bytearray(whole)
        # Most of what can go wrong stands in the first part: counts, names, sizes.
        reach = 700 if number % 3 else len(content)
        kind = number % 4
        place = int(rng.integers(0, reach))
        if kind == 0:
            content[place] = int(rng.integers(0, 256))
        elif kind == 1:
            value = EXTREMES[int(rng.integers(0, len(EXTREMES)))]
            content[place : place + 8] = value.to_bytes(8, "little")
        elif kind == 2:
            del content[int(rng.integers(0, len(content))) :]
        else:
            del content[place : place + int(rng.integers(1, 40))]
        found.append(bytes(content))
    return found


def written(content: bytes) -> None:
    """Let the compiled engine open a whole model and write with it."""
    try:
        native_part().Model(np.frombuffer(content, dtype=np.uint8)).generate("The 猫".encode(), 5)
    except (ValueError, MemoryError):
        return


@pytest.fixture(scope="module", params=["rnn", "lstm", "ngram"])
def other(request, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    made = gguf_ngram(path) if request.param == "ngram" else gguf_recurrent(path, request.param)
    return made.read_bytes()


@pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")
def test_damaged_recurrent_networks_and_counting_models_do_no_harm(other):
    written(other)
    for content in mutants(other, 6000, seed=3):
        written(content)


def test_the_python_reader_of_recurrent_networks_refuses_with_a_sentence(other, tmp_path):
    path = tmp_path / "m.gguf"
    for content in mutants(other, 300, seed=4):
        path.write_bytes(content)
        try:
            file = GgufFile(path)
            gguf_codec(file)
            if holds_recurrent(file):
                recurrent_tensors(file, recurrent_shape(file))
        except SparrowError as error:
            assert error.sentence("en") and error.sentence("zh")


@pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")
@pytest.mark.parametrize(
    ("found", "other_text", "sentence"),
    [
        (b"\x04\0\0\0\0\0\0\0lstm", b"\x04\0\0\0\0\0\0\0gruu", "cell gruu"),
        (b"sparrow.block_count", b"sparrow.block_cuont", "block_count"),
        (b"rnn.projection.weight", b"rnn.projektion.weight", "projection"),
        (b"output.bias", b"output.bios", "output.bias"),
    ],
)
def test_what_a_recurrent_network_lacks_is_named(tmp_path, found, other_text, sentence):
    path = gguf_recurrent(tmp_path / "m.gguf", "lstm")
    content = path.read_bytes()
    assert content.count(found) == 1
    path.write_bytes(content.replace(found, other_text))
    with pytest.raises(DamagedFileError, match=sentence):
        open_model(path)


@pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")
def test_a_damaged_mixture_does_no_harm(tmp_path):
    whole = gguf_mixture(tmp_path / "m.gguf", "int4").read_bytes()
    written(whole)
    places = [whole.index(name) for name in (b"SPARROW-ARRAYS", b'"mean_F"')]
    generator = np.random.default_rng(2)
    for number in range(5000):
        content = bytearray(whole)
        # Headers, and numbers behind them.
        place = places[number % 2] + int(generator.integers(0, 3000 if number % 4 < 2 else 12000))
        place = min(place, len(content) - 9)
        if number % 3 == 0:
            content[place : place + 4] = b"\xff\xff\xff\xff"
        else:
            content[place] = int(generator.integers(0, 256))
        written(bytes(content))


@pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")
def test_the_compiled_reader_survives_any_bytes(whole):
    opened(whole)
    for content in mutants(whole, 15_000, seed=0):
        opened(content)
    for content in (b"", b"GGUF", b"GGUF\x03\0\0\0", bytes(5000), b"\xff" * 5000):
        opened(content)


def test_the_python_reader_refuses_with_a_sentence(whole, tmp_path):
    path = tmp_path / "m.gguf"
    for content in mutants(whole, 400, seed=1):
        path.write_bytes(content)
        try:
            file = GgufFile(path)
            shape = gguf_shape(file)
            if shape.num_layers <= 2 and shape.vocab_size < 1000:
                gguf_tensors(file, shape)
            gguf_codec(file)
        except SparrowError as error:
            assert error.sentence("en") and error.sentence("zh")


@pytest.mark.parametrize("content", [b"", b"GGUF", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_gguf_file_is_refused(tmp_path, content):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError):
        open_model(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        open_model(tmp_path / "nowhere.gguf")


def test_a_missing_tensor_is_named(whole, tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(whole.replace(b"blk.1.ffn_up", b"blk.1.ffn_xx"))
    file = GgufFile(path)
    with pytest.raises(DamagedFileError, match="ffn_up"):
        gguf_tensors(file, gguf_shape(file))
    with pytest.raises(DamagedFileError, match="ffn_up"):
        gguf_engine(file, gguf_shape(file))


def test_a_tokenizer_of_another_size_is_refused(whole, tmp_path):
    path = gguf_model(tmp_path / "m.gguf", codec=small_codec("bpe"))
    content = path.read_bytes()
    name = b"tokenizer.ggml.tokens"
    place = content.index(name) + len(name) + 8
    count = int.from_bytes(content[place : place + 8], "little")
    path.write_bytes(content[:place] + (count - 1).to_bytes(8, "little") + content[place + 8 :])
    with pytest.raises(DamagedFileError):
        open_model(path)
