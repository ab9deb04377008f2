#include "isa/backward.h"

namespace elman::ELMAN_ISA {
constexpr PerCell<BackwardKernel<float>> backward_f32 = backward_kernels<float>(Cells{});
constexpr Products<float> products_f32 = product_kernels<float>();
}  // namespace elman::ELMAN_ISA
