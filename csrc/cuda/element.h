// Elements beside float, as host code passes them on: 16 bits, and a float whose products may be rounded to
// TF32.
#pragma once

#include <cstdint>

namespace elman::cuda {

struct Half {
  uint16_t bits;
};
struct Bfloat16 {
  uint16_t bits;
};
struct Tf32 {
  float value;
};

}  // namespace elman::cuda
