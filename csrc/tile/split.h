// How a loop is cut into tiles, each of a size that the compiler knows.
#pragma once

#include <type_traits>

#include "simd/types.h"

namespace elman {
namespace {

// Calls f(first, size) over [begin, end) in parts of at most `most`, as even as they can be.
template <class F> ELMAN_INLINE void split_evenly(int begin, int end, int most, const F& f) {
  int parts = (end - begin + most - 1) / most;
  for (; parts > 0; --parts) {
    const int size = (end - begin + parts - 1) / parts;
    f(begin, size);
    begin += size;
  }
}

// Calls f(constant n) for the run-time value 1 <= n <= Most.
template <int Most, class F> ELMAN_INLINE void with_constant(int n, const F& f) {
  if constexpr (Most > 1) {
    if (n < Most) return with_constant<Most - 1>(n, f);
  }
  f(std::integral_constant<int, Most>{});
}

}  // namespace
}  // namespace elman
