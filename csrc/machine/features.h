// What this processor can run.
#pragma once

namespace elman {

// Whether the processor has these instructions and the system keeps their registers; false on other
// processors.
bool has_avx2();    // and FMA
bool has_avx512();  // F, VL, DQ and BW

}  // namespace elman
