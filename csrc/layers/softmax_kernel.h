// Softmax over a row, the sums that its losses need, and the way back.
#pragma once

#include "kernels/softmax.h"
#include "simd/math.h"
#include "tile/lanes.h"

namespace elman {
namespace {

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
  by_lanes<T, L>(x, n, sums.largest, [&](int, const V* v) ELMAN_INLINED {
    unroll<W>([&](auto w) ELMAN_INLINED { values[w] = values[w] + (v[w] - splat<V>(sums.largest)); });
  });
  sums.values = add_lanes(read(values));

  // The last lanes are filled up with -infinity, whose exponential is the smallest there is: too small to
  // change a sum that has a 1. (Any finite number could be lost beside a large `largest`.)
  const T least = -T(__builtin_inf());
  by_lanes<T, L>(x, n, least, [&](int first, const V* v) ELMAN_INLINED {
    unroll<W>([&](auto w) ELMAN_INLINED {
      const V e = exp(v[w] - splat<V>(sums.largest));
      exponentials[w] = exponentials[w] + e;
      const int left = n - first - w * L;
      if (p && left > 0) Extent{left}.store_at(p + first + w * L, 0, e);
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

template <class T, int L> void softmax_backward(const T* p, const T* dp, int n, T scale, T* dx) {
  using V = Vec<T, L>;
  constexpr int W = sum_lanes / L;
  const FlushDenormals flush;
  V sum[W];
  unroll<W>([&](auto w) ELMAN_INLINED { sum[w] = V{}; });
  for (int i = 0; i < n; i += sum_lanes) {
    const Extent extent{n - i};
    unroll<W>([&](auto w) ELMAN_INLINED {
      if (w * L < extent.count)
        sum[w] = mul_add(extent.template load_at<V>(p + i, w), extent.template load_at<V>(dp + i, w), sum[w]);
    });
  }
  T lanes[sum_lanes];
  unroll<W>([&](auto w) ELMAN_INLINED { store(lanes + w * L, sum[w]); });
  const V mean = splat<V>(add_lanes(lanes)), factor = splat<V>(scale);
  for (int i = 0; i < n; i += L) {
    const Extent extent{n - i};
    const V chance = extent.template load_at<V>(p + i, 0), d = extent.template load_at<V>(dp + i, 0);
    extent.store_at(dx + i, 0, factor * chance * (d - mean));
  }
}

}  // namespace
}  // namespace elman
