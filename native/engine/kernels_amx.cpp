// x86 with AMX: sixteen rows of inputs against sixteen rows of a matrix at once. It pays where many
// rows come together, as in prompts; everything else is left to AVX-512.
//
// A tile of codes (packed.h) is what AMX wants on the right: its eight steps are the rows of a
// register. Sums of integers are exact and are scaled as elsewhere, so the bits are the same.
#include "machine_avx512.h"

#include "amx_tiles.h"
#include "kernels.h"

#if defined(__linux__) && !defined(EMULATED_TILES)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace engine {
const Kernels* amx_kernels(const Kernels& others);

namespace {

constexpr std::size_t kLeastRows = 16, kBatch = 4;
constexpr std::size_t kCodeBytes = kSteps * kVectorBytes;

// Sums in registers 0 to 3, inputs in 4 and 5, codes of the matrix in 6.
constexpr TileShapes shapes() {
  TileShapes found;
  for (std::size_t number = 0; number < kBatch; ++number) {
    found.set(number, kTileRows, 4 * kTileRows);
  }
  found.set(4, kTileRows, kTileColumns);
  found.set(5, kTileRows, kTileColumns);
  found.set(6, kSteps, kVectorBytes);
  return found;
}

alignas(64) constexpr TileShapes kShapes = shapes();

template <Format kFormat, int kStep = 0>
IN_PLACE void unpack(const std::uint8_t* codes, std::uint8_t* steps) {
  _mm512_store_si512(steps + kStep * kVectorBytes, Machine::step<kFormat, kStep>(codes));
  if constexpr (kStep + 1 < static_cast<int>(kSteps)) unpack<kFormat, kStep + 1>(codes, steps);
}

struct Batch {
  std::size_t row, num_tiles;  // of inputs, sixteen rows each
};

#define MULTIPLY(sums, left)                                                           \
  if (sums < batch.num_tiles) {                                                        \
    TILE_ZERO(sums);                                                                   \
    TILE_LOAD(left, codes + sums * kTileRows * width, width);                          \
    if constexpr (kFormat == Format::kInt8) TILE_SIGNED(sums, left, 6);                \
    if constexpr (kFormat != Format::kInt8) TILE_UNSIGNED(sums, left, 6);              \
    TILE_STORE(sums, found + sums * kTileRows * kTileRows, kTileRows * sizeof *found); \
  }

// What one tile of the matrix gives with all rows of a batch.
template <Format kFormat>
IN_PLACE void multiply(const Batch& batch, const std::uint8_t* tile, const std::int8_t* codes,
                       std::size_t width, std::int32_t* found) {
  alignas(64) std::uint8_t steps[kCodeBytes];
  const std::uint8_t* right = tile + kScaleBytes;
  if constexpr (kFormat != Format::kInt8) {
    unpack<kFormat>(right, steps);
    right = steps;
  }
  TILE_LOAD(6, right, kVectorBytes);
  MULTIPLY(0, 4)
  MULTIPLY(1, 5)
  MULTIPLY(2, 4)
  MULTIPLY(3, 5)
}

template <Format kFormat>
void product_of_batch(const Product& job, std::size_t group, const Batch& batch) {
  const Inputs& inputs = *job.inputs;
  const std::size_t blocks = inputs.blocks, width = inputs.width();
  const std::size_t num_rows = batch.num_tiles * kTileRows;
  const std::uint8_t* tile = job.matrix->tiles + group * job.matrix->group_bytes();
  alignas(64) std::int32_t found[kBatch * kTileRows * kTileRows];
  alignas(64) float totals[kBatch * kTileRows * kTileRows];
  __builtin_memset(totals, 0, num_rows * kTileRows * sizeof *totals);
  for (std::size_t b = 0; b < blocks; ++b, tile += tile_bytes(kFormat)) {
    multiply<kFormat>(batch, tile, inputs.codes + batch.row * width + b * kTileColumns, width, found);
    const Floats row_scales = Machine::halves(tile);
    for (std::size_t n = 0; n < num_rows; ++n) {
      const std::size_t block = (batch.row + n) * blocks + b;
      Ints sums;
      __builtin_memcpy(&sums, found + n * kTileRows, sizeof sums);
      sums = sums + every(-offset_of(kFormat) * inputs.sums[block]);
      const Floats scale = row_scales * every(inputs.scales[block]);
      store(totals + n * kTileRows, load(totals + n * kTileRows) + floats_of(sums) * scale);
    }
  }
  for (std::size_t n = 0; n < num_rows; ++n) {
    float* to = job.outputs + (batch.row + n) * job.stride + group * kTileRows;
    const Floats total = load(totals + n * kTileRows);
    store(to, job.is_added ? load(to) + total : total);
  }
}

template <Format kFormat>
void product_of(const Product& job, std::size_t num_rows, std::size_t first, std::size_t last) {
  TILE_SHAPES(kShapes);
  for (std::size_t group = first; group < last; ++group) {
    for (std::size_t row = 0; row < num_rows; row += kBatch * kTileRows) {
      const std::size_t left = (num_rows - row) / kTileRows;
      product_of_batch<kFormat>(job, group, {row, left < kBatch ? left : kBatch});
    }
  }
  TILE_RELEASE();
}

Kernels own;
void (*product_of_others)(const Product& job, std::size_t first, std::size_t last);

// The rows behind the last sixteen.
void rest_of(const Product& job, std::size_t num_done, std::size_t first, std::size_t last) {
  Inputs inputs = *job.inputs;
  inputs.values += num_done * inputs.width();
  inputs.codes += num_done * inputs.width();
  inputs.scales += num_done * inputs.blocks;
  inputs.sums += num_done * inputs.blocks;
  const Product rest{job.matrix, &inputs, job.num_rows - num_done,
                     job.outputs + num_done * job.stride, job.stride, job.is_added};
  product_of_others(rest, first, last);
}

void product(const Product& job, std::size_t first, std::size_t last) {
  const Format format = job.matrix->format;
  const std::size_t whole = job.num_rows / kTileRows * kTileRows;
  if (!is_integer(format) || whole < kLeastRows) return product_of_others(job, first, last);
  switch (format) {
    case Format::kInt3: product_of<Format::kInt3>(job, whole, first, last); break;
    case Format::kInt4: product_of<Format::kInt4>(job, whole, first, last); break;
    case Format::kInt5: product_of<Format::kInt5>(job, whole, first, last); break;
    case Format::kInt6: product_of<Format::kInt6>(job, whole, first, last); break;
    default: product_of<Format::kInt8>(job, whole, first, last); break;
  }
  if (whole < job.num_rows) rest_of(job, whole, first, last);
}

// Linux lends the registers only to who has asked.
bool may_be_used() {
#if defined(EMULATED_TILES)
  return true;
#elif defined(__linux__)
  constexpr long kAsk = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kAsk, kTileData) == 0;
#else
  return false;
#endif
}

// Whether products are those of AVX-512 to the last bit.
bool is_right(Format format) {
  constexpr std::size_t kRows = 37, kGroups = 2, kBlocks = 3, kStride = kGroups * kTileRows;
  constexpr std::size_t kCodes = kRows * kBlocks * kTileColumns;
  alignas(64) static std::uint8_t tiles[kGroups * kBlocks * (kScaleBytes + kCodeBytes)];
  static std::int8_t codes[kCodes];
  static float values[kCodes], scales[kRows * kBlocks], outputs[2][kRows * kStride];
  static std::int32_t sums[kRows * kBlocks];
  std::uint32_t number = 1;
  const auto next = [&] { return (number = number * 1664525u + 1013904223u) >> 24; };
  for (std::uint8_t& byte : tiles) byte = static_cast<std::uint8_t>(next());
  const Matrix matrix{format, kGroups * kTileRows, kBlocks * kTileColumns, tiles};
  for (std::size_t t = 0; t < kGroups * kBlocks; ++t) {
    std::uint8_t* tile = tiles + t * tile_bytes(format);
    for (std::size_t r = 0; r < kTileRows; ++r) tile[2 * r + 1] = 0x20;  // small and finite
  }
  for (std::int8_t& code : codes) code = static_cast<std::int8_t>(next() % 255 - 127);
  for (std::size_t b = 0; b < kRows * kBlocks; ++b) {
    scales[b] = static_cast<float>(next());
    sums[b] = 0;
    for (std::size_t c = 0; c < kTileColumns; ++c) sums[b] += codes[b * kTileColumns + c];
  }
  const Inputs inputs{kBlocks, values, codes, scales, sums};
  product({&matrix, &inputs, kRows, outputs[0], kStride, false}, 0, kGroups);
  product_of_others({&matrix, &inputs, kRows, outputs[1], kStride, false}, 0, kGroups);
  return __builtin_memcmp(outputs[0], outputs[1], sizeof outputs[0]) == 0;
}

}  // namespace

// others: those of AVX-512, which do what is not done here. Null: this machine has no tiles, or
// computes something else with them.
const Kernels* amx_kernels(const Kernels& others) {
  static const bool is_usable = [&] {
    product_of_others = others.product;
    own = others;
    own.name = "amx";
    own.product = product;
    return may_be_used() && is_right(Format::kInt8) && is_right(Format::kInt6) &&
           is_right(Format::kInt5) && is_right(Format::kInt4) && is_right(Format::kInt3);
  }();
  return is_usable ? &own : nullptr;
}

}  // namespace engine
