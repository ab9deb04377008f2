// A plan (recurrent/plan.h) as kernels see it.
#pragma once

#include <cstdint>

namespace elman {

// What kernels see: plain pointers, so that no library code is compiled with an instruction set's flags.
struct PlanView {
  int steps = 0, rows = 0;            // length of the longest row, number of rows
  const int32_t* alive = nullptr;     // [steps] rows that take part in each step, non-increasing
  const int64_t* offset = nullptr;    // [steps + 1] first packed row of each step; the last is the total
  const int32_t* index = nullptr;     // [total] the caller's row (of its T * B) behind each packed row
  const int32_t* sequence = nullptr;  // [rows] the sequence that the row is a stretch of
  const int32_t* start = nullptr;     // [rows] whose initial state the row begins with, -1: zeros
  const int32_t* finish = nullptr;    // [rows] whose final state the row ends with, -1: none

  // Rows alive at step t, and none after the end.
  int alive_at(int t) const { return t < steps ? alive[t] : 0; }
};

}  // namespace elman
