// The kernels themselves. Every instruction set includes this file behind its own `Machine`, which
// knows what products_body.h and attention_body.h ask for.
#pragma once

#include "attention_body.h"
#include "products_body.h"

// Of what is done once for an id: every browser loads the program.
#if defined(__wasm__)
#define SMALL_IN_BROWSERS __attribute__((minsize))
#else
#define SMALL_IN_BROWSERS
#endif

namespace engine {
namespace {

void product(const Product& job, std::size_t first, std::size_t last) {
  switch (job.matrix->format) {
    case Format::kFloat32: return product_of<Format::kFloat32>(job, first, last);
    case Format::kBFloat16: return product_of<Format::kBFloat16>(job, first, last);
    case Format::kFloat16: return product_of<Format::kFloat16>(job, first, last);
    default: return product_of_integers(job, first, last);
  }
}

// ---- rounding ----

// Returns the codes, written as well. What a damaged file makes of numbers, infinite or none at all,
// gets a code in range too.
IN_PLACE Ints coded(const float* values, float to_code, std::int8_t* codes) {
  const Floats wanted = load(values) * every(to_code);
  const Ints whole = nearest_whole(smaller(larger(wanted, every(-127.0f)), every(127.0f)));
  for (std::size_t i = 0; i < kParts; ++i) {
    *reinterpret_cast<BytePart*>(codes + i * kRegisterFloats) =
        __builtin_convertvector(whole.part[i], BytePart);
  }
  return whole;
}

// Sixteen blocks at a time, step by step: one block after the other would wait for each of its own steps.
void round(const Inputs& inputs, std::size_t num_rows) {
  const std::size_t num_blocks = num_rows * inputs.blocks;
  for (std::size_t first = 0; first < num_blocks; first += kLanes) {
    const std::size_t count = num_blocks - first < kLanes ? num_blocks - first : kLanes;
    const float* values = inputs.values + first * kTileColumns;
    std::int8_t* codes = inputs.codes + first * kTileColumns;
    float most[kLanes] = {}, to_code[kLanes];
    for (std::size_t b = 0; b < count; ++b) {
      const float* block = values + b * kTileColumns;
      most[b] = largest(larger(magnitude(load(block)), magnitude(load(block + kLanes))));
    }
    store(to_code, in_parts<Floats>([&](std::size_t i) {
            const FloatPart part = load(most).part[i];
            return part > 0.0f ? 127.0f / part : FloatPart{};
          }));
    for (std::size_t b = 0; b < count; ++b) {
      const float* block = values + b * kTileColumns;
      std::int8_t* to = codes + b * kTileColumns;
      inputs.scales[first + b] = most[b] * (1.0f / 127.0f);
      inputs.sums[first + b] =
          sum(coded(block, to_code[b], to) + coded(block + kLanes, to_code[b], to + kLanes));
    }
  }
}

// ---- what lies between the products ----

// Sixteen rows at a time, step by step, as above.
void norm(const Norm& job) {
  for (std::size_t first = 0; first < job.num_rows; first += kLanes) {
    const std::size_t count = job.num_rows - first < kLanes ? job.num_rows - first : kLanes;
    const float* x = job.x + first * job.apart;
    float* values = job.values + first * job.values_apart;
    float inverses[kLanes] = {};
    for (std::size_t row = 0; row < count; ++row) {
      Floats squares = every(0.0f);
      for (std::size_t i = 0; i < job.width; i += kLanes) {
        const Floats some = load(x + row * job.apart + i);
        squares = squares + some * some;
      }
      inverses[row] = sum(squares);
    }
    for (float& inverse : inverses) {
      inverse = 1.0f / __builtin_sqrtf(inverse / static_cast<float>(job.width) + job.epsilon);
    }
    for (std::size_t row = 0; row < count; ++row) {
      for (std::size_t i = 0; i < job.width; i += kLanes) {
        store(values + row * job.values_apart + i,
              load(x + row * job.apart + i) * every(inverses[row]) * load(job.weight + i));
      }
    }
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

SMALL_IN_BROWSERS void halve(const float* values, std::size_t count, std::uint16_t* halves) {
  for (std::size_t i = 0; i < count; i += kLanes) store_halves(halves + i, load(values + i));
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
SMALL_IN_BROWSERS void lstm(const float* gates, std::size_t width, float* cell, float* hidden) {
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
SMALL_IN_BROWSERS void elman(const float* sums, std::size_t width, float* hidden) {
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

// Float32 in blocks of sixteen times sixteen, their sums in float64.
double above(const float* values, std::size_t count, float least, std::size_t& number) {
  constexpr std::size_t kBlock = 16 * kLanes;
  double total = 0.0;
  Ints found = every(0);
  for (std::size_t first = 0; first < count; first += kBlock) {
    const std::size_t last = count - first < kBlock ? count : first + kBlock;
    Floats sums = every(0.0f);
    for (std::size_t i = first; i < last; i += kLanes) {
      const Floats value = load(values + i);
      for (std::size_t part = 0; part < kParts; ++part) {
        const IntPart is_one = value.part[part] >= least - FloatPart{};
        sums.part[part] += is_one ? value.part[part] : FloatPart{};
        found.part[part] -= is_one;
      }
    }
    total += static_cast<double>(sum(sums));
  }
  number = static_cast<std::size_t>(sum(found));
  return total;
}

void cut(float* values, std::size_t count, float least) {
  for (std::size_t i = 0; i < count; i += kLanes) {
    const Floats value = load(values + i);
    store(values + i, in_parts<Floats>([&](std::size_t part) {
      const IntPart is_one = value.part[part] >= least - FloatPart{};
      return is_one ? value.part[part] : FloatPart{};
    }));
  }
}

// What lies behind the counted numbers stays out of the range of logarithms.
SMALL_IN_BROWSERS void logarithms(float* values, std::size_t count, std::size_t counted) {
  for (std::size_t i = counted; i < count; ++i) values[i] = 1.0f;
  for (std::size_t i = 0; i < count; i += kLanes) store(values + i, logarithm(load(values + i)));
}

// ---- rows of codes ----

SMALL_IN_BROWSERS void add_codes(const std::int8_t* codes, float scale, std::size_t width, float* sums,
               std::size_t apart, std::size_t num_rows) {
  std::size_t i = 0;
  for (; i + kLanes <= width; i += kLanes) {
    const Floats some = floats_of(load(codes + i)) * every(scale);
    for (std::size_t row = 0; row < num_rows; ++row) {
      float* to = sums + row * apart + i;
      store(to, load(to) + some);
    }
  }
  for (; i < width; ++i) {
    const float one = static_cast<float>(codes[i]) * scale;
    for (std::size_t row = 0; row < num_rows; ++row) sums[row * apart + i] += one;
  }
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

// The codes of one row of a tile.
template <Format kFormat>
IN_PLACE void codes_of(const std::uint8_t* tile, std::size_t place, std::int8_t* codes) {
  for (std::size_t step = 0; step < kSteps; ++step) {
    if constexpr (kFormat == Format::kInt8) {
      __builtin_memcpy(codes + 4 * step, tile + step * kVectorBytes + 4 * place, 4);
    } else {
      for (std::size_t c = 4 * step; c < 4 * step + 4; ++c) {
        codes[c] = static_cast<std::int8_t>(code_of<kFormat>(tile, place, c));
      }
    }
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
      std::int8_t codes[kTileColumns];
      codes_of<kFormat>(tile + kScaleBytes, place, codes);
      for (std::size_t c = 0; c < kTileColumns; c += kLanes) {
        store(block + c, every(scale) * floats_of(load(codes + c)));
      }
    } else {
      for (std::size_t c = 0; c < kTileColumns; ++c) block[c] = value_of<kFormat>(tile, place, c);
    }
  }
}

SMALL_IN_BROWSERS void row(const Matrix& matrix, std::size_t index, float* values) {
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

constexpr Kernels table_of(const char* name, decltype(Kernels::product) multiply = product) {
  return {name, multiply, round, norm, turn, attend, halve, gate, lstm, elman, largest,
          shares, above, cut, logarithms, add_codes, row};
}

}  // namespace
}  // namespace engine
