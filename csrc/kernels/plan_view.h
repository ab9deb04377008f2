// A plan (recurrent/plan.h) as kernels see it.
#pragma once

#include <cstdint>

namespace elman {

// Plain pointers only, so that no library code is compiled with an instruction set's flags.
struct PlanView {
  int steps = 0, segments = 0;        // of the longest segment; how many segments there are
  const int32_t* alive = nullptr;     // [steps] segments that take part in each step, non-increasing
  const int64_t* offset = nullptr;    // [steps + 1] first entry of each step; the last is the total
  const int32_t* index = nullptr;     // [total] the caller's row (of its T * B) behind each entry
  const int32_t* sequence = nullptr;  // [segments] the sequence that the segment is a stretch of
  const int32_t* start = nullptr;     // [segments] whose initial state it begins with, -1: zeros
  const int32_t* finish = nullptr;    // [segments] whose final state it ends with, -1: none

  // Segments alive at step t, and none after the end.
  int alive_at(int t) const { return t < steps ? alive[t] : 0; }
};

}  // namespace elman
