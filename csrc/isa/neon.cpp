// ARM Advanced SIMD, which every AArch64 processor has: 16-byte vectors, 32 registers.
#include "isa/table.h"

namespace elman {
extern const Isa isa_neon;
constexpr Isa isa_neon = Tables<16, 32>::isa("neon");
}  // namespace elman
