#include "isa/backward.h"

namespace elman::ELMAN_ISA {
constexpr PerCell<BackwardKernels<float>> backward_f32 = backward_kernels<float>(Cells{});
constexpr BackwardKernels<float> program_back_f32 = {program_backward<float>};
constexpr ProductKernels<float> products_f32 = products_of<float>();
}  // namespace elman::ELMAN_ISA
