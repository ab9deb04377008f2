#include "isa/programs.h"

namespace elman::ELMAN_ISA {
constexpr ProgramKernels<float> programs_f32 = program_kernels<float>();
}  // namespace elman::ELMAN_ISA
