#include "isa/programs.h"

namespace elman::ELMAN_ISA {
constexpr ProgramKernels<double> programs_f64 = program_kernels<double>();
}  // namespace elman::ELMAN_ISA
