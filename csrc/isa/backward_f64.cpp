#include "isa/backward.h"

namespace elman::ELMAN_ISA {
constexpr PerCell<BackwardKernel<double>> backward_f64 = backward_kernels<double>(Cells{});
constexpr Products<double> products_f64 = product_kernels<double>();
}  // namespace elman::ELMAN_ISA
