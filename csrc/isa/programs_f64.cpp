#include "isa/programs.h"

namespace elman::ELMAN_ISA {
constexpr ProgramKernels<double> programs_f64 = {&program_kernels<double>, &program_back_f64,
                                                 link<double, lanes<double>>};
}  // namespace elman::ELMAN_ISA
