#include "isa/backward.h"

namespace elman::ELMAN_ISA {
constexpr PerCell<BackwardKernels<double>> backward_f64 = backward_kernels<double>(Cells{});
constexpr BackwardKernels<double> program_back_f64 = {program_backward<double>};
constexpr ProductKernels<double> products_f64 = products_of<double>();
}  // namespace elman::ELMAN_ISA
