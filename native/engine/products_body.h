// Products of matrices and inputs. Every instruction set includes this file behind its own `Machine`,
// which knows how to sum products of codes:
//
//   kMostRows                              rows of inputs whose sums fit into registers
//   offset<format>()                       what its codes are too high by
//   add_tile<format, N>(codes, rows, stride, sums)   adds what 32 columns give, for N rows of inputs
//   kMostGroups                            groups of 16 rows of a matrix that are read together; above 1
//                                          there is add_tiles instead of add_tile:
//   add_tiles<format, N, groups>(codes, apart, rows, stride, sums)   groups are `apart` bytes apart
//   kSharesPrograms                        all forms of codes but 4 bits have one program, which asks for
//   add_any<N>(format, codes, rows, stride, sums)   what add_tile does, for those
//   halves(address)                        16 float16 as float32
#pragma once

#include "kernels.h"
#include "lanes16.h"

namespace engine {
namespace {

// The form whose program multiplies a form.
constexpr Format program_of(Format format) {
  return Machine::kSharesPrograms && format != Format::kInt4 ? Format::kInt8 : format;
}

// kNum rows of inputs with the rows of kGroups groups: inputs are fetched once for all groups, codes of
// the matrix once for all inputs.
template <Format kFormat, int kNum, int kGroups = 1, class Any = Machine>
IN_PLACE void integer_product(const Product& job, std::size_t group, std::size_t row) {
  const Matrix& matrix = *job.matrix;
  const Inputs& inputs = *job.inputs;
  constexpr bool kIsShared = Any::kSharesPrograms && kFormat == Format::kInt8;
  const Format format = kIsShared ? matrix.format : kFormat;
  const std::int32_t offset = kIsShared ? offset_of(format) : Any::template offset<kFormat>();
  const std::size_t blocks = inputs.blocks, width = inputs.width(), apart = matrix.group_bytes();
  const std::uint8_t* tile = matrix.tiles + group * apart;
  const std::int8_t* codes = inputs.codes + row * width;
  const float* scales = inputs.scales + row * blocks;
  const std::int32_t* sums_of_codes = inputs.sums + row * blocks;
  Floats totals[kGroups][kNum];
  make_zero(totals);
  for (std::size_t b = 0; b < blocks; ++b, tile += tile_bytes(format)) {
    Ints sums[kGroups][kNum];
    for (int n = 0; n < kNum; ++n) {
      const Ints begin = every(-offset * sums_of_codes[n * blocks + b]);
      for (int g = 0; g < kGroups; ++g) sums[g][n] = begin;
    }
    const std::int8_t* rows = codes + b * kTileColumns;
    if constexpr (Any::kMostGroups > 1) {
      Any::template add_tiles<kFormat, kNum, kGroups>(tile + kScaleBytes, apart, rows, width, sums);
    } else if constexpr (kIsShared) {
      Any::template add_any<kNum>(format, tile + kScaleBytes, rows, width, sums[0]);
    } else {
      Any::template add_tile<kFormat, kNum>(tile + kScaleBytes, rows, width, sums[0]);
    }
    for (int g = 0; g < kGroups; ++g) {
      const Floats row_scales = Machine::halves(tile + static_cast<std::size_t>(g) * apart);
      for (int n = 0; n < kNum; ++n) {
        const Floats scale = row_scales * every(scales[n * blocks + b]);
        totals[g][n] = totals[g][n] + floats_of(sums[g][n]) * scale;
      }
    }
  }
  for (int n = 0; n < kNum; ++n) {
    float* to = job.outputs + (row + n) * job.stride + group * kTileRows;
    for (int g = 0; g < kGroups; ++g, to += kTileRows) {
      store(to, job.is_added ? load(to) + totals[g][n] : totals[g][n]);
    }
  }
}

template <Format kFormat>
IN_PLACE Floats column_of(const std::uint8_t* tiles, std::size_t column) {
  if constexpr (kFormat == Format::kFloat16) return Machine::halves(tiles + column * kScaleBytes);
  if constexpr (kFormat == Format::kBFloat16) {
    return load(reinterpret_cast<const std::uint16_t*>(tiles) + column * kTileRows);
  }
  return load(reinterpret_cast<const float*>(tiles) + column * kTileRows);
}

// What every fourth column gives, from `part` on.
template <Format kFormat, int kNum, int kGroups>
IN_PLACE void add_columns(const std::uint8_t* tiles, std::size_t apart, const float* values,
                          std::size_t width, std::size_t part, Floats (&totals)[kGroups][kNum]) {
  make_zero(totals);
  for (std::size_t c = part; c < width; c += 4) {
    Floats columns[kGroups];
    for (int g = 0; g < kGroups; ++g) {
      columns[g] = column_of<kFormat>(tiles + static_cast<std::size_t>(g) * apart, c);
    }
    for (int n = 0; n < kNum; ++n) {
      for (int g = 0; g < kGroups; ++g) {
        totals[g][n] = totals[g][n] + times(columns[g], values + n * width + c);
      }
    }
  }
}

// Four sums over every fourth column, then their sum: one would wait for itself. Several rows and groups
// have sums enough to wait for, and are added part by part.
template <Format kFormat, int kNum, int kGroups>
IN_PLACE void float_products(const Product& job, std::size_t group, std::size_t row) {
  const Matrix& matrix = *job.matrix;
  const std::size_t width = job.inputs->width(), apart = matrix.group_bytes();
  const std::uint8_t* tiles = matrix.tiles + group * apart;
  const float* values = job.inputs->values + row * width;
  Floats first[kGroups][kNum], second[kGroups][kNum], third[kGroups][kNum];
  add_columns<kFormat>(tiles, apart, values, width, 0, first);
  add_columns<kFormat>(tiles, apart, values, width, 1, second);
  for (int g = 0; g < kGroups; ++g) {
    for (int n = 0; n < kNum; ++n) first[g][n] = first[g][n] + second[g][n];
  }
  add_columns<kFormat>(tiles, apart, values, width, 2, second);
  add_columns<kFormat>(tiles, apart, values, width, 3, third);
  for (int n = 0; n < kNum; ++n) {
    float* to = job.outputs + (row + n) * job.stride + group * kTileRows;
    for (int g = 0; g < kGroups; ++g, to += kTileRows) {
      const Floats total = first[g][n] + (second[g][n] + third[g][n]);
      store(to, job.is_added ? load(to) + total : total);
    }
  }
}

// One or two rows of inputs, one group: memory is read from front to back.
template <Format kFormat, int kNum>
IN_PLACE void float_product(const Product& job, std::size_t group, std::size_t row) {
  const Matrix& matrix = *job.matrix;
  const std::size_t width = job.inputs->width();
  const std::uint8_t* tiles = matrix.tiles + group * matrix.group_bytes();
  const float* values = job.inputs->values + row * width;
  Floats totals[kNum][4];
  make_zero(totals);
  for (std::size_t c = 0; c < width; c += 4) {
    for (std::size_t part = 0; part < 4; ++part) {
      const Floats column = column_of<kFormat>(tiles, c + part);
      for (int n = 0; n < kNum; ++n) {
        totals[n][part] = totals[n][part] + column * every(values[n * width + c + part]);
      }
    }
  }
  for (int n = 0; n < kNum; ++n) {
    float* to = job.outputs + (row + n) * job.stride + group * kTileRows;
    const Floats total = (totals[n][0] + totals[n][1]) + (totals[n][2] + totals[n][3]);
    store(to, job.is_added ? load(to) + total : total);
  }
}

template <Format kFormat, int kNum>
IN_PLACE void one_product(const Product& job, std::size_t group, std::size_t row) {
  if constexpr (is_integer(kFormat)) {
    integer_product<kFormat, kNum>(job, group, row);
  } else {
    float_product<kFormat, kNum>(job, group, row);
  }
}

// Two groups, which all inputs pass while they are in the nearest cache. Returns how many rows of inputs
// are done: one that is left alone reads memory faster from front to back, and for formats that are
// rare two and three rows are not worth a program of their own.
template <Format kFormat>
IN_PLACE std::size_t two_groups(const Product& job, std::size_t group) {
  const std::size_t num_rows = job.num_rows, whole = num_rows / 4 * 4;
  constexpr bool kIsCommon = kFormat == Format::kInt8 || kFormat == Format::kInt4;
  for (std::size_t row = 0; row < whole; row += 4) {
    if constexpr (is_integer(kFormat)) {
      integer_product<kFormat, 4, 2>(job, group, row);
    } else {
      float_products<kFormat, 4, 2>(job, group, row);
    }
  }
  if constexpr (kIsCommon) {
    if (num_rows - whole == 3) integer_product<kFormat, 3, 2>(job, group, whole);
    if (num_rows - whole == 2) integer_product<kFormat, 2, 2>(job, group, whole);
    if (num_rows - whole > 1) return num_rows;
  }
  return whole;
}

// One group and all rows of inputs that are left: its weights stay in the nearest cache meanwhile.
template <Format kFormat>
IN_PLACE void one_group(const Product& job, std::size_t group, std::size_t row) {
  constexpr int kMost = is_integer(kFormat) ? Machine::kMostRows : 2;
  for (; row + kMost <= job.num_rows; row += kMost) one_product<kFormat, kMost>(job, group, row);
  if constexpr (kMost > 2) {
    for (; row + 2 <= job.num_rows; row += 2) one_product<kFormat, 2>(job, group, row);
  }
  for (; row < job.num_rows; ++row) one_product<kFormat, 1>(job, group, row);
}

template <Format kFormat>
void product_of(const Product& job, std::size_t first, std::size_t last) {
  std::size_t done = 0, paired = first;
  for (std::size_t group = first; group < last; ++group) {
    if constexpr (Machine::kMostGroups > 1) {
      if (group == paired) {
        const bool has_next = group + 1 < last;
        done = has_next ? two_groups<kFormat>(job, group) : 0;
        paired += 2;
      }
    }
    one_group<kFormat>(job, group, done);
  }
}

void product_of_integers(const Product& job, std::size_t first, std::size_t last) {
  switch (job.matrix->format) {
    case Format::kInt3: return product_of<program_of(Format::kInt3)>(job, first, last);
    case Format::kInt4: return product_of<program_of(Format::kInt4)>(job, first, last);
    case Format::kInt5: return product_of<program_of(Format::kInt5)>(job, first, last);
    case Format::kInt6: return product_of<program_of(Format::kInt6)>(job, first, last);
    default: return product_of<program_of(Format::kInt8)>(job, first, last);
  }
}

}  // namespace
}  // namespace engine
