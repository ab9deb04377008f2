// 16-bit elements, as their bits: host code only passes them on.
#pragma once

#include <cstdint>

namespace elman::cuda {

struct Half {
  uint16_t bits;
};
struct Bfloat16 {
  uint16_t bits;
};

}  // namespace elman::cuda
