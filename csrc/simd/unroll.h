// Loops over a number that the compiler knows.
#pragma once

#include <utility>

#include "simd/types.h"

namespace elman {
namespace {

// f(0), f(1), ... f(N - 1), each with a constant. A loop will not do: the compiler decides what lives in
// registers before it unrolls, and leaves the sums in memory. The same happens if a lambda is not inlined (an
// LSTM tile of 6 rows then ran at half speed).
template <class F, int... I> ELMAN_INLINE void unroll(std::integer_sequence<int, I...>, const F& f) {
  (f(std::integral_constant<int, I>{}), ...);
}
template <int N, class F> ELMAN_INLINE void unroll(const F& f) {
  unroll(std::make_integer_sequence<int, N>{}, f);
}

}  // namespace
}  // namespace elman
