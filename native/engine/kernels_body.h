// The kernels themselves. Every instruction set includes this file behind its own `Machine`, which
// knows how to sum products of codes:
//
//   kMostRows                              rows of inputs whose sums fit into registers
//   offset<format>()                       what its codes are too high by
//   add_tile<format, N>(codes, rows, stride, sums)   adds what 32 columns give, for N rows of inputs
//   halves(address)                        16 float16 as float32
//   kMostQueries, kMixedVectors            queries, and 16 numbers of values for each, whose sums
//                                          fit into registers
#pragma once

#include "kernels.h"
#include "lanes16.h"

namespace engine {
namespace {

// ---- products ----

template <Format kFormat, int kNum>
IN_PLACE void integer_product(const Product& job, std::size_t group, std::size_t row) {
  const Matrix& matrix = *job.matrix;
  const Inputs& inputs = *job.inputs;
  const std::size_t blocks = inputs.blocks, width = inputs.width();
  const std::uint8_t* tile = matrix.tiles + group * matrix.group_bytes();
  const std::int8_t* codes = inputs.codes + row * width;
  const float* scales = inputs.scales + row * blocks;
  const std::int32_t* sums_of_codes = inputs.sums + row * blocks;
  Floats totals[kNum];
  for (int n = 0; n < kNum; ++n) totals[n] = every(0.0f);
  for (std::size_t b = 0; b < blocks; ++b) {
    Ints sums[kNum];
    for (int n = 0; n < kNum; ++n) {
      sums[n] = every(-Machine::offset<kFormat>() * sums_of_codes[n * blocks + b]);
    }
    Machine::add_tile<kFormat, kNum>(tile + kScaleBytes, codes + b * kTileColumns, width, sums);
    const Floats row_scales = Machine::halves(tile);
    for (int n = 0; n < kNum; ++n) {
      totals[n] = totals[n] + floats_of(sums[n]) * (row_scales * every(scales[n * blocks + b]));
    }
    tile += tile_bytes(kFormat);
  }
  for (int n = 0; n < kNum; ++n) {
    float* to = job.outputs + (row + n) * job.stride + group * kTileRows;
    store(to, job.is_added ? load(to) + totals[n] : totals[n]);
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

// Four sums over every fourth column, then their sum: one would wait for itself.
template <Format kFormat, int kNum>
IN_PLACE void float_product(const Product& job, std::size_t group, std::size_t row) {
  const Matrix& matrix = *job.matrix;
  const std::size_t width = job.inputs->width();
  const std::uint8_t* tiles = matrix.tiles + group * matrix.group_bytes();
  const float* values = job.inputs->values + row * width;
  Floats totals[kNum][4] = {};
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

// The weights of 16 rows stay in the nearest cache while all inputs pass.
template <Format kFormat>
void product_of(const Product& job, std::size_t first, std::size_t last) {
  constexpr int kMost = is_integer(kFormat) ? Machine::kMostRows : 2;
  for (std::size_t group = first; group < last; ++group) {
    std::size_t row = 0;
    for (; row + kMost <= job.num_rows; row += kMost) one_product<kFormat, kMost>(job, group, row);
    if constexpr (kMost > 4) {
      for (; row + 4 <= job.num_rows; row += 4) one_product<kFormat, 4>(job, group, row);
    }
    if constexpr (kMost > 2) {
      for (; row + 2 <= job.num_rows; row += 2) one_product<kFormat, 2>(job, group, row);
    }
    for (; row < job.num_rows; ++row) one_product<kFormat, 1>(job, group, row);
  }
}

void product(const Product& job, std::size_t first, std::size_t last) {
  switch (job.matrix->format) {
    case Format::kFloat32: return product_of<Format::kFloat32>(job, first, last);
    case Format::kBFloat16: return product_of<Format::kBFloat16>(job, first, last);
    case Format::kFloat16: return product_of<Format::kFloat16>(job, first, last);
    case Format::kInt3: return product_of<Format::kInt3>(job, first, last);
    case Format::kInt4: return product_of<Format::kInt4>(job, first, last);
    case Format::kInt5: return product_of<Format::kInt5>(job, first, last);
    case Format::kInt6: return product_of<Format::kInt6>(job, first, last);
    case Format::kInt8: return product_of<Format::kInt8>(job, first, last);
  }
}

// ---- rounding ----

typedef std::int8_t BytePart __attribute__((vector_size(kRegisterFloats), aligned(1), may_alias));

// Returns the codes, written as well. What a damaged file makes of numbers, infinite or none at all,
// gets a code in range too.
IN_PLACE Ints coded(const float* values, float to_code, std::int8_t* codes) {
  const Floats wanted = load(values) * every(to_code);
  const Ints whole = whole_of(rounded(smaller(larger(wanted, every(-127.0f)), every(127.0f))));
  for (std::size_t i = 0; i < kParts; ++i) {
    *reinterpret_cast<BytePart*>(codes + i * kRegisterFloats) =
        __builtin_convertvector(whole.part[i], BytePart);
  }
  return whole;
}

void round(const Inputs& inputs, std::size_t num_rows) {
  const std::size_t num_blocks = num_rows * inputs.blocks;
  for (std::size_t b = 0; b < num_blocks; ++b) {
    const float* values = inputs.values + b * kTileColumns;
    std::int8_t* codes = inputs.codes + b * kTileColumns;
    const float most = largest(larger(magnitude(load(values)), magnitude(load(values + kLanes))));
    const float to_code = most > 0.0f ? 127.0f / most : 0.0f;
    inputs.scales[b] = most * (1.0f / 127.0f);
    inputs.sums[b] =
        sum(coded(values, to_code, codes) + coded(values + kLanes, to_code, codes + kLanes));
  }
}

IN_PLACE Floats halves_at(const std::uint16_t* from) {
  return Machine::halves(reinterpret_cast<const std::uint8_t*>(from));
}

// ---- what lies between the products ----

constexpr float kNoScore = -1e30f;

void norm(const float* x, const float* weight, std::size_t width, std::size_t counted, float epsilon,
          float* values) {
  Floats squares = every(0.0f);
  for (std::size_t i = 0; i < width; i += kLanes) squares = squares + load(x + i) * load(x + i);
  const float mean = sum(squares) / static_cast<float>(counted);
  const Floats inverse = every(1.0f / __builtin_sqrtf(mean + epsilon));
  for (std::size_t i = 0; i < width; i += kLanes) {
    store(values + i, load(x + i) * inverse * load(weight + i));
  }
}

void turn(float* x, const float* cosines, const float* sines, std::size_t head_width, float scale) {
  const std::size_t half = head_width / 2;
  std::size_t i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Floats first = load(x + i), second = load(x + half + i);
    const Floats c = load(cosines + i), s = load(sines + i);
    store(x + i, (first * c - second * s) * every(scale));
    store(x + half + i, (second * c + first * s) * every(scale));
  }
  for (; i < half; ++i) {
    const float first = x[i], second = x[half + i];
    x[i] = (first * cosines[i] - second * sines[i]) * scale;
    x[half + i] = (second * cosines[i] + first * sines[i]) * scale;
  }
}

void halve(const float* values, std::size_t count, std::uint16_t* halves) {
  for (std::size_t i = 0; i < count; i += kLanes) store_halves(halves + i, load(values + i));
}

// What stands behind the last position that a query sees gets no share.
IN_PLACE Floats seen_of(const Floats& scores, std::size_t group, std::size_t num_positions) {
  const std::size_t first = group * kLanes;
  if (first + kLanes <= num_positions) return scores;
  return first_of(scores, num_positions > first ? num_positions - first : 0, kNoScore);
}

// Two sums, over even and over odd numbers of the queries; sixteen keys a group.
template <int kQueries, int kGroups>
IN_PLACE void score_groups(const Attention& job, std::size_t query, std::size_t group) {
  const std::uint16_t* keys = job.keys + group * job.width * kLanes;
  Floats totals[kQueries][kGroups][2] = {};
  for (std::size_t e = 0; e < job.width; e += 2) {
    for (std::size_t part = 0; part < 2; ++part) {
      for (int g = 0; g < kGroups; ++g) {
        const Floats key = halves_at(keys + (static_cast<std::size_t>(g) * job.width + e + part) * kLanes);
        for (int q = 0; q < kQueries; ++q) {
          totals[q][g][part] = totals[q][g][part] + key * every(job.queries[query + q][e + part]);
        }
      }
    }
  }
  for (int q = 0; q < kQueries; ++q) {
    float* scores = job.scores + (query + q) * job.scores_stride;
    for (int g = 0; g < kGroups; ++g) {
      const Floats total = totals[q][g][0] + totals[q][g][1];
      store(scores + (group + g) * kLanes,
            seen_of(total, group + g, job.num_positions[query + q]));
    }
  }
}

// From scores to shares that are still to be divided by their sum.
IN_PLACE float share_positions(float* scores, std::size_t num_positions) {
  const std::size_t groups = num_tiles(num_positions, kLanes);
  Floats highest = every(kNoScore);
  for (std::size_t g = 0; g < groups; ++g) highest = larger(highest, load(scores + g * kLanes));
  const Floats top = every(largest(highest));
  Floats total = every(0.0f);
  for (std::size_t g = 0; g < groups; ++g) {
    const Floats share = exponential(load(scores + g * kLanes) - top);
    total = total + share;
    store(scores + g * kLanes, share);
  }
  return sum(total);
}

template <int kVectors>
IN_PLACE void mix_position(const std::uint16_t* values, float share, Floats (&totals)[kVectors]) {
  for (int v = 0; v < kVectors; ++v) {
    totals[v] = totals[v] + halves_at(values + v * kLanes) * every(share);
  }
}

// Positions that all queries see are read once, the others by each query that sees them.
template <int kQueries, int kVectors>
IN_PLACE void mix(const Attention& job, std::size_t query, std::size_t first,
                  const float* inverses) {
  Floats totals[kQueries][kVectors] = {};
  std::size_t common = job.num_positions[query];
  for (int q = 1; q < kQueries; ++q) {
    const std::size_t own = job.num_positions[query + q];
    common = own < common ? own : common;
  }
  const float* scores = job.scores + query * job.scores_stride;
  const std::uint16_t* values = job.values + first;
  for (std::size_t p = 0; p < common; ++p, values += job.width) {
    Floats some[kVectors];
    for (int v = 0; v < kVectors; ++v) some[v] = halves_at(values + v * kLanes);
    for (int q = 0; q < kQueries; ++q) {
      const Floats share = every(scores[q * job.scores_stride + p]);
      for (int v = 0; v < kVectors; ++v) totals[q][v] = totals[q][v] + some[v] * share;
    }
  }
  for (int q = 0; q < kQueries; ++q) {
    const std::uint16_t* own = values;
    for (std::size_t p = common; p < job.num_positions[query + q]; ++p, own += job.width) {
      mix_position<kVectors>(own, scores[q * job.scores_stride + p], totals[q]);
    }
    for (int v = 0; v < kVectors; ++v) {
      store(job.mixed[query + q] + first + v * kLanes, totals[q][v] * every(inverses[q]));
    }
  }
}

template <int kQueries, int kGroups, int kVectors>
IN_PLACE void attend_together(const Attention& job, std::size_t query) {
  std::size_t most = 0;
  for (int q = 0; q < kQueries; ++q) {
    const std::size_t own = job.num_positions[query + q];
    most = own > most ? own : most;
  }
  const std::size_t groups = num_tiles(most, kLanes);
  std::size_t group = 0;
  for (; group + kGroups <= groups; group += kGroups) {
    score_groups<kQueries, kGroups>(job, query, group);
  }
  for (; group < groups; ++group) score_groups<kQueries, 1>(job, query, group);
  float inverses[kQueries];
  for (int q = 0; q < kQueries; ++q) {
    float* scores = job.scores + (query + q) * job.scores_stride;
    inverses[q] = 1.0f / share_positions(scores, job.num_positions[query + q]);
  }
  std::size_t first = 0;
  for (; first + kVectors * kLanes <= job.width; first += kVectors * kLanes) {
    mix<kQueries, kVectors>(job, query, first, inverses);
  }
  for (; first < job.width; first += kLanes) mix<kQueries, 1>(job, query, first, inverses);
}

// Softmax(queries keys) values. Source: Vaswani et al. 2017, arXiv:1706.03762, equation 1.
void attend(const Attention& job) {
  constexpr std::size_t kMost = Machine::kMostQueries;
  std::size_t query = 0;
  if constexpr (kMost > 1) {
    for (; query + kMost <= job.num_queries; query += kMost) {
      attend_together<kMost, 1, Machine::kMixedVectors>(job, query);
    }
  }
  if constexpr (kMost > 4) {
    for (; query + 4 <= job.num_queries; query += 4) attend_together<4, 1, 2>(job, query);
  }
  if constexpr (kMost > 2) {
    for (; query + 2 <= job.num_queries; query += 2) attend_together<2, 1, 2>(job, query);
  }
  for (; query < job.num_queries; ++query) attend_together<1, 2, 4>(job, query);
}

// Source: Shazeer 2020, arXiv:2002.05202, equation 6.
void gate(const float* gates, const float* up, std::size_t width, float* values) {
  for (std::size_t i = 0; i < width; i += kLanes) {
    const Floats x = load(gates + i);
    store(values + i, x * load(up + i) / (every(1.0f) + exponential(every(0.0f) - x)));
  }
}

// ---- steps of recurrent networks ----

// Sixteen numbers of which those before width count; the others become 0.
IN_PLACE void store_counted(float* to, const Floats& x, std::size_t first, std::size_t width) {
  store(to + first, first + kLanes <= width ? x : first_of(x, width - first, 0.0f));
}

// Source: Hochreiter and Schmidhuber 1997, with forget gate, as written in torch.nn.LSTM.
void lstm(const float* gates, std::size_t width, float* cell, float* hidden) {
  const float *forget = gates + width, *candidate = forget + width, *output = candidate + width;
  for (std::size_t i = 0; i < width; i += kLanes) {
    const Floats kept = load(cell + i) * sigmoid(load(forget + i));
    const Floats fresh = sigmoid(load(gates + i)) * hyperbolic_tangent(load(candidate + i));
    const Floats now = kept + fresh;
    store_counted(cell, now, i, width);
    store_counted(hidden, sigmoid(load(output + i)) * hyperbolic_tangent(now), i, width);
  }
}

// Source: Elman 1990, "Finding structure in time", as written in torch.nn.RNN.
void elman(const float* sums, std::size_t width, float* hidden) {
  for (std::size_t i = 0; i < width; i += kLanes) {
    store_counted(hidden, hyperbolic_tangent(load(sums + i)), i, width);
  }
}

// ---- scores ----

float largest(const float* values, std::size_t count) {
  Floats most = load(values);
  for (std::size_t i = kLanes; i < count; i += kLanes) most = larger(most, load(values + i));
  return largest(most);
}

double shares(const float* values, std::size_t count, float top, float scale, float* to) {
  double total = 0.0;
  for (std::size_t i = 0; i < count; i += kLanes) {
    const Floats share = exponential((load(values + i) - every(top)) * every(scale));
    store(to + i, share);
    total += static_cast<double>(sum(share));
  }
  return total;
}

// What lies behind the counted numbers stays out of the range of logarithms.
void logarithms(float* values, std::size_t count, std::size_t counted) {
  for (std::size_t i = counted; i < count; ++i) values[i] = 1.0f;
  for (std::size_t i = 0; i < count; i += kLanes) store(values + i, logarithm(load(values + i)));
}

// ---- rows of a matrix ----

template <Format kFormat>
IN_PLACE std::int32_t code_of(const std::uint8_t* codes, std::size_t row, std::size_t column) {
  const std::size_t step = column / 4, place = row * 4 + column % 4;
  const auto nibble = [&] {
    return codes[step / 2 * kVectorBytes + place] >> (step % 2 * 4) & 15;
  };
  const auto two = [&](const std::uint8_t* from) {
    return from[step / 4 * kVectorBytes + place] >> (step % 4 * 2) & 3;
  };
  const auto one = [&](const std::uint8_t* from) { return from[place] >> step & 1; };
  if constexpr (kFormat == Format::kInt6) {
    return (nibble() | two(codes + 4 * kVectorBytes) << 4) - 32;
  } else if constexpr (kFormat == Format::kInt5) {
    return (nibble() | one(codes + 4 * kVectorBytes) << 4) - 16;
  } else if constexpr (kFormat == Format::kInt4) {
    return nibble() - 8;
  } else if constexpr (kFormat == Format::kInt3) {
    return (two(codes) | one(codes + 2 * kVectorBytes) << 2) - 4;
  } else {
    return static_cast<std::int8_t>(codes[step * kVectorBytes + place]);
  }
}

template <Format kFormat>
IN_PLACE float value_of(const std::uint8_t* tile, std::size_t place, std::size_t column) {
  if constexpr (kFormat == Format::kFloat32) {
    return reinterpret_cast<const float*>(tile)[column * kTileRows + place];
  } else {
    const auto* halves = reinterpret_cast<const std::uint16_t*>(tile);
    const std::uint16_t half = halves[column * kTileRows + place];
    return kFormat == Format::kBFloat16 ? from_bfloat16(half) : from_half(half);
  }
}

template <Format kFormat>
void row_of(const Matrix& matrix, std::size_t index, float* values) {
  const std::size_t place = index % kTileRows;
  const std::uint8_t* tile = matrix.tiles + index / kTileRows * matrix.group_bytes();
  for (std::size_t b = 0; b < matrix.blocks(); ++b, tile += tile_bytes(kFormat)) {
    float* block = values + b * kTileColumns;
    if constexpr (is_integer(kFormat)) {
      std::uint16_t half;
      __builtin_memcpy(&half, tile + 2 * place, sizeof half);
      const float scale = from_half(half);
      for (std::size_t c = 0; c < kTileColumns; ++c) {
        block[c] = scale * static_cast<float>(code_of<kFormat>(tile + kScaleBytes, place, c));
      }
    } else {
      for (std::size_t c = 0; c < kTileColumns; ++c) block[c] = value_of<kFormat>(tile, place, c);
    }
  }
}

void row(const Matrix& matrix, std::size_t index, float* values) {
  switch (matrix.format) {
    case Format::kFloat32: return row_of<Format::kFloat32>(matrix, index, values);
    case Format::kBFloat16: return row_of<Format::kBFloat16>(matrix, index, values);
    case Format::kFloat16: return row_of<Format::kFloat16>(matrix, index, values);
    case Format::kInt3: return row_of<Format::kInt3>(matrix, index, values);
    case Format::kInt4: return row_of<Format::kInt4>(matrix, index, values);
    case Format::kInt5: return row_of<Format::kInt5>(matrix, index, values);
    case Format::kInt6: return row_of<Format::kInt6>(matrix, index, values);
    case Format::kInt8: return row_of<Format::kInt8>(matrix, index, values);
  }
}

constexpr Kernels table_of(const char* name) {
  return {name, product, round, norm, turn, attend, halve, gate, lstm, elman, largest,
          shares, logarithms, row};
}

}  // namespace
}  // namespace engine
