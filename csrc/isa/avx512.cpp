// AVX-512 F, VL, DQ and BW: 64-byte vectors, 32 registers.
#include "isa/table.h"

namespace elman {
extern const Isa isa_avx512;
constexpr Isa isa_avx512 = Tables<64, 32>::isa("avx512");
}  // namespace elman
