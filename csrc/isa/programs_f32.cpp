#include "isa/programs.h"

namespace elman::ELMAN_ISA {
constexpr ProgramKernels<float> programs_f32 = {&program_kernels<float>, &program_back_f32,
                                                link<float, lanes<float>>};
}  // namespace elman::ELMAN_ISA
