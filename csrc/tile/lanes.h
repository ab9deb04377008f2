// Sums over long rows, whose bits do not depend on the instruction set.
#pragma once

#include "simd/extent.h"
#include "simd/unroll.h"

namespace elman {
namespace {

// Sums run in 16 lanes whatever the width of a vector, and those are added in one fixed order, so that bits
// do not depend on the instruction set.
constexpr int sum_lanes = 16;

template <class T> ELMAN_INLINE T add_lanes(const T* lanes) {
  T sums[sum_lanes];
  for (int i = 0; i < sum_lanes; ++i) sums[i] = lanes[i];
  for (int half = sum_lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
  return sums[0];
}

// f(first, vectors) for every 16 values of x, the last ones filled up with `fill`.
template <class T, int L, class F> ELMAN_INLINE void by_lanes(const T* x, int n, T fill, const F& f) {
  using V = Vec<T, L>;
  constexpr int W = sum_lanes / L;
  V v[W];
  int i = 0;
  for (; i + sum_lanes <= n; i += sum_lanes) {
    unroll<W>([&](auto w) ELMAN_INLINED { v[w] = load<V>(x + i + w * L); });
    f(i, v);
  }
  if (i == n) return;
  T last[sum_lanes];
  for (int k = 0; k < sum_lanes; ++k) last[k] = i + k < n ? x[i + k] : fill;
  unroll<W>([&](auto w) ELMAN_INLINED { v[w] = load<V>(last + w * L); });
  f(i, v);
}

}  // namespace
}  // namespace elman
