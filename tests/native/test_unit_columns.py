"""What a tagger looks at, bit by bit: units, columns, parts of speech in C++ beside the house's."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
from compiled_parts import compiled
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sparrowlm.tasks.tag.features import UnitColumns
from sparrowlm.tasks.tag.lexicon import tag_number, tag_of_word
from sparrowlm.tasks.tag.profiles import COLUMNS, NETWORK_COLUMNS, PROFILES
from sparrowlm.tasks.tag.units import units_of

ROOT = Path(__file__).parents[2]
NAMES = sorted(
    {name for table in (COLUMNS, NETWORK_COLUMNS) for one in PROFILES for name in table[one]}
)
SLOW = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PIECES = [
    "张小凡", "长江三峡", "研究生命起源", "卡拉OK", "iPhone15", "２０２４年", "3.5%", "(1927-1994)",
    "AT&T", "C++", "\r\n", "\n", "a_b", "ΟΔΟΣ", "İ", "的", "，", " ", "\u3000", "哈哈哈", "abab",
    "1,000.5", "T恤", "３Ｄ打印",
]  # fmt: skip
UNICODE = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.text(st.characters(codec="utf-8"), max_size=6),
        st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=8),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8),
    ),
    max_size=10,
).map("".join)

LIBRARY = """
#include "unit_columns.h"
namespace {
engine::ChineseWords words;
engine::ChineseTags tags;
engine::Units units;
engine::UnitColumns columns;
}
extern "C" int begin(const unsigned char* dictionary, std::size_t size, const unsigned char* parts,
                     std::size_t parts_size) {
  engine::Complaint complaint;
  columns.use(&words, &tags, nullptr);
  return words.open(dictionary, size, complaint) && tags.open(parts, parts_size, words, complaint);
}
extern "C" std::size_t cut(const char* text, std::size_t size, int joins_runs,
                           std::size_t* bounds) {
  if (!units.cut({text, size}, joins_runs != 0)) return 0;
  columns.begin(units);
  for (std::size_t i = 0; i < units.size(); ++i) {
    bounds[2 * i] = units[i].begin;
    bounds[2 * i + 1] = units[i].end;
  }
  return units.size();
}
extern "C" std::size_t chains(std::size_t* bounds) {
  for (std::size_t i = 0; i <= units.num_chains(); ++i) bounds[i] = units.bound(i);
  return units.num_chains() + 1;
}
extern "C" int fill(const char* name, std::uint64_t* numbers) {
  engine::UnitColumns::Column column;
  return engine::UnitColumns::read_name({name, __builtin_strlen(name)}, column) &&
         columns.fill(column, numbers);
}
extern "C" std::uint64_t tag(const std::uint32_t* codes, std::size_t count, int is_alone) {
  std::uint64_t found = 0;
  if (is_alone) tags.tag_alone(codes, count, found);
  else tags.tag_of(codes, count, found);
  return found;
}
"""
PARTS = (
    "unicode", "unicode_classes", "array_file", "gguf", "chinese_words", "chinese_tags", "units",
    "unit_columns",
)  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The engine's part as a shared library, by the compiler of this machine."""
    found = compiled(tmp_path_factory.mktemp("library"), LIBRARY, *PARTS)
    found.cut.restype = found.chains.restype = ctypes.c_size_t
    found.tag.restype = ctypes.c_uint64
    kept = []
    for name in ("chinese_words.bin", "chinese_tags.bin"):
        content = (ROOT / "sparrowlm" / "text" / name).read_bytes()
        kept += [ctypes.create_string_buffer(content, len(content)), ctypes.c_size_t(len(content))]
    assert found.begin(*kept) == 1
    return found, kept


def address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def assert_columns(library, text: str, *, joins_runs: bool) -> None:
    native, raw = library[0], text.encode()
    units = units_of([text], joins_runs=joins_runs)
    bounds = np.zeros((len(text) + 1, 2), dtype=np.uintp)
    count = native.cut(raw, ctypes.c_size_t(len(raw)), int(joins_runs), address(bounds))
    assert np.array_equal(bounds[:count], np.stack([units.begins, units.ends], axis=1))
    chains = np.zeros(len(text) + 2, dtype=np.uintp)
    assert np.array_equal(chains[: native.chains(address(chains))], units.chains)
    makers, numbers = UnitColumns(units), np.zeros(count + 1, dtype=np.uint64)
    for name in NAMES:
        assert native.fill(name.encode(), address(numbers)) == 1
        assert np.array_equal(numbers[:count], getattr(makers, name)()), name


@pytest.mark.parametrize("joins_runs", [True, False])
@SLOW
@given(text=UNICODE)
@example(text="南非之前的国旗(1927-1994)中也有一支直挂的")
@example(text="研究生命起源。" * 200)
@example(text="x" * 3000 + "长江" * 300)
def test_columns_are_those_of_the_house(library, joins_runs, text):
    assert_columns(library, text, joins_runs=joins_runs)


@SLOW
@given(
    text=st.text(st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF), min_size=1, max_size=6)
)
@example(text="鴆")
@example(text="跛脚鸭")
@example(text="小龙女")
@example(text="么么哒")
@example(text="魑魅𠀀魍")
def test_parts_of_speech_are_those_of_rjieba(library, text):
    import rjieba

    for word, tag in rjieba.tag(text):
        codes = np.frombuffer(word.encode("utf-32-le"), dtype="<u4").copy()
        size = ctypes.c_size_t(len(codes))
        assert library[0].tag(address(codes), size, 0) == tag_number(tag)
        assert library[0].tag(address(codes), size, 1) == tag_of_word(word)
