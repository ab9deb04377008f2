#include "isa/forward.h"

namespace elman::ELMAN_ISA {
constexpr PerCell<ForwardKernels<float>> forward_f32 = forward_kernels<float>(Cells{});
}  // namespace elman::ELMAN_ISA
