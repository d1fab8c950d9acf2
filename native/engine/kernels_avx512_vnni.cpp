// x86 with AVX-512 and its byte products (VNNI).
#include "machine_avx512.h"

#include "kernels_body.h"

namespace engine {
extern const Kernels kAvx512Vnni;
const Kernels kAvx512Vnni = table_of("avx512-vnni");
}  // namespace engine
