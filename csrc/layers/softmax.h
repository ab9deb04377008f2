// Softmax over a row, and the sums that its losses need.
#pragma once

#include "engine/kernels.h"
#include "engine/tile.h"
#include "simd/math.h"

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

template <class T, int L> RowSums<T> softmax(const T* x, int n, T scale, T shift, T* p) {
  using V = Vec<T, L>;
  constexpr int W = sum_lanes / L;
  const FlushDenormals flush;
  RowSums<T> sums{x[0], 0, 0};
  V largest[W], values[W], exponentials[W];
  unroll<W>([&](auto w) ELMAN_INLINED { largest[w] = splat<V>(x[0]); });
  unroll<W>([&](auto w) ELMAN_INLINED { values[w] = exponentials[w] = V{}; });
  T lanes[sum_lanes];
  const auto read = [&](const V* v) ELMAN_INLINED {
    unroll<W>([&](auto w) ELMAN_INLINED { store(lanes + w * L, v[w]); });
    return lanes;
  };

  by_lanes<T, L>(x, n, x[0], [&](int, const V* v) ELMAN_INLINED {
    unroll<W>([&](auto w) ELMAN_INLINED { largest[w] = larger(largest[w], v[w]); });
  });
  read(largest);
  for (int i = 0; i < sum_lanes; ++i) sums.largest = lanes[i] > sums.largest ? lanes[i] : sums.largest;
  by_lanes<T, L>(x, n, T(0), [&](int, const V* v) ELMAN_INLINED {
    unroll<W>([&](auto w) ELMAN_INLINED { values[w] = values[w] + v[w]; });
  });
  sums.values = add_lanes(read(values));

  // What fills up the last lanes is the smallest exponential there is: too small to change a sum that has
  // a 1.
  const T least = sums.largest - 2 * ExpConstants<T>::exp_limit;
  by_lanes<T, L>(x, n, least, [&](int first, const V* v) ELMAN_INLINED {
    unroll<W>([&](auto w) ELMAN_INLINED {
      const V e = exp(v[w] - splat<V>(sums.largest));
      exponentials[w] = exponentials[w] + e;
      const int left = n - first - w * L;
      if (p && left > 0) Extent{left}.template store_at(p + first + w * L, 0, e);
    });
  });
  sums.exponentials = add_lanes(read(exponentials));
  if (!p) return sums;
  const V factor = splat<V>(scale / sums.exponentials);
  for (int i = 0; i < n; i += L) {
    const Extent extent{n - i};
    extent.store_at(p + i, 0, mul_add(extent.template load_at<V>(p + i, 0), factor, splat<V>(shift)));
  }
  return sums;
}

}  // namespace
}  // namespace elman
