#include "isa/forward.h"

namespace elman::ELMAN_ISA {
constexpr PerCell<ForwardKernels<double>> forward_f64 = forward_kernels<double>(Cells{});
}  // namespace elman::ELMAN_ISA
