// What tells whether memory has changed, and what the limits of the machine are measured with.
#pragma once

#include <cstddef>
#include <cstdint>

namespace elman {

struct ProbeKernels {
  // Multiply-adds on registers alone; returns the floating-point operations that were done.
  double (*spin_f32)(int64_t rounds);
  double (*spin_f64)(int64_t rounds);
  // Loads alone: the sum of all elements, read `rounds` times.
  float (*read)(const float* p, std::ptrdiff_t count, int64_t rounds);
  uint64_t (*fingerprint)(const char* p, int64_t bytes);
};

}  // namespace elman
