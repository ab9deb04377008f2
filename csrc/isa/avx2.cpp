// AVX2 with FMA: 32-byte vectors, 16 registers.
#include "isa/table.h"

namespace elman {
extern const Isa isa_avx2;
constexpr Isa isa_avx2 = Tables<32, 16>::isa("avx2");
}  // namespace elman
