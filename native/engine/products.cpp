#include "products.h"

namespace engine {
namespace {

struct Products {
  const Kernels* kernels;
  const Product* products;
  std::size_t count, groups;
};

// Every part takes neighbouring groups of 16 rows, across the borders of matrices.
void multiply_part(void* job, std::size_t part, std::size_t num_parts) {
  const auto& all = *static_cast<const Products*>(job);
  std::size_t first = all.groups * part / num_parts, last = all.groups * (part + 1) / num_parts;
  for (std::size_t i = 0; i < all.count && last > 0; ++i) {
    const std::size_t groups = all.products[i].matrix->groups();
    if (first < groups) all.kernels->product(all.products[i], first, last < groups ? last : groups);
    first = first < groups ? 0 : first - groups;
    last = last < groups ? 0 : last - groups;
  }
}

}  // namespace

bool Buffers::make(std::size_t columns, std::size_t num_rows) {
  inputs.blocks = num_tiles(columns, kTileColumns);
  const bool is_made = values.make(inputs.width() * num_rows) &&
                       codes.make(inputs.width() * num_rows) &&
                       scales.make(inputs.blocks * num_rows) && sums.make(inputs.blocks * num_rows);
  inputs.values = values.data();
  inputs.codes = codes.data();
  inputs.scales = scales.data();
  inputs.sums = sums.data();
  return is_made;
}

Inputs Buffers::from(std::size_t row) const {
  Inputs shifted = inputs;
  shifted.values += row * inputs.width();
  shifted.codes += row * inputs.width();
  shifted.scales += row * inputs.blocks;
  shifted.sums += row * inputs.blocks;
  return shifted;
}

bool need_codes(const Product* products, std::size_t count) {
  bool is_one = false;
  for (std::size_t i = 0; i < count; ++i) {
    is_one = is_one || is_integer(products[i].matrix->format);
  }
  return is_one;
}

void multiply(const Kernels& kernels, Crew& crew, const Product* products, std::size_t count,
              bool are_codes_there) {
  Products all{&kernels, products, count, 0};
  for (std::size_t i = 0; i < count; ++i) all.groups += products[i].matrix->groups();
  if (!are_codes_there && need_codes(products, count)) {
    kernels.round(*products[0].inputs, products[0].num_rows);
  }
  crew.run(multiply_part, &all);
}

}  // namespace engine
