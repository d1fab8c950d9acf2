"""Tiles of AMX in ordinary memory: the products are those of AVX-512 to the last bit.

No machine of the tests need have AMX: what is written for it runs on emulated registers. Where
there is one, tests of all kernels run on its own.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
from compiled_parts import ENGINE, compiled

from sparrowlm.runtime.native_engine import kernel_names

AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni", "-mf16c"]
pytestmark = pytest.mark.skipif("avx512-vnni" not in kernel_names(), reason="no AVX-512 VNNI here")

HARNESS = """
#include "kernels.h"
#include <cstdlib>
#include <cstring>
#include <vector>
namespace engine {
extern const Kernels kAvx512Vnni;
const Kernels* amx_kernels(const Kernels& others);
}
using namespace engine;

extern "C" int is_usable() { return amx_kernels(kAvx512Vnni) != nullptr; }

extern "C" int is_same(int format, std::size_t rows, std::size_t groups, std::size_t blocks,
                       int is_added, unsigned seed) {
  std::srand(seed);
  const Kernels& tiled = *amx_kernels(kAvx512Vnni);
  const auto form = static_cast<Format>(format);
  std::vector<std::uint8_t> tiles(groups * blocks * tile_bytes(form) + 64);
  for (auto& byte : tiles) byte = static_cast<std::uint8_t>(std::rand());
  for (std::size_t t = 0; t < groups * blocks; ++t) {
    for (std::size_t r = 0; r < kTileRows; ++r) tiles[t * tile_bytes(form) + 2 * r + 1] = 0x1C;
  }
  const Matrix matrix{form, groups * kTileRows, blocks * kTileColumns, tiles.data()};
  std::vector<float> values(rows * blocks * kTileColumns), scales(rows * blocks);
  std::vector<std::int8_t> codes(values.size());
  std::vector<std::int32_t> sums(rows * blocks);
  for (auto& value : values) value = static_cast<float>(std::rand() % 2001 - 1000) / 100.0f;
  const Inputs inputs{blocks, values.data(), codes.data(), scales.data(), sums.data()};
  kAvx512Vnni.round(inputs, rows);
  const std::size_t stride = groups * kTileRows + 16;
  std::vector<float> first(rows * stride, 0.5f), second(rows * stride, 0.5f);
  const std::size_t begin = groups > 2 ? 1 : 0;
  tiled.product({&matrix, &inputs, rows, first.data(), stride, is_added != 0}, begin, groups);
  const Product other{&matrix, &inputs, rows, second.data(), stride, is_added != 0};
  kAvx512Vnni.product(other, begin, groups);
  return std::memcmp(first.data(), second.data(), first.size() * sizeof(float)) == 0;
}
"""


def tiled(folder: Path) -> ctypes.CDLL:
    flags = (*AVX512, "-DEMULATED_TILES")
    return compiled(folder, HARNESS, "kernels_amx", "kernels_avx512_vnni", flags=flags)


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    library = tiled(tmp_path_factory.mktemp("amx"))
    assert library.is_usable()
    return library


@pytest.mark.parametrize("bits", [3, 4, 5, 6, 8])
def test_products_have_the_bits_of_avx512(emulated, bits):
    sizes = [(16, 1, 1), (17, 2, 3), (63, 1, 9), (64, 3, 2), (65, 2, 5), (130, 4, 3), (15, 2, 2)]
    for seed, (rows, groups, blocks) in enumerate(sizes):
        for is_added in (0, 1):
            numbers = map(ctypes.c_size_t, (rows, groups, blocks))
            assert emulated.is_same(bits, *numbers, is_added, seed), (bits, rows, groups, blocks)


def test_a_program_that_computes_something_else_is_not_used(tmp_path):
    wrong = (ENGINE / "amx_tiles.h").read_text().replace("sum += a *", "sum += 1 + a *")
    (tmp_path / "amx_tiles.h").write_text(wrong)
    (tmp_path / "kernels_amx.cpp").write_text((ENGINE / "kernels_amx.cpp").read_text())
    assert not tiled(tmp_path).is_usable()
