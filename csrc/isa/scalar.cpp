// One element at a time: the reference for what the vectors do, and what runs where nothing else can.
#include "isa/table.h"

namespace elman {
extern const Isa isa_scalar;
constexpr Isa isa_scalar = Tables<0, 16>::isa("scalar");
}  // namespace elman
