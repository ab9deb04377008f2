// Sums of probabilities that are given as logarithms.
#pragma once

#include "simd/extent.h"
#include "simd/math.h"

namespace elman {
namespace {

// The largest exponential is 1, and only the other two are computed. `larger` and `smaller` pass on their
// second argument where one is NaN.
template <class V> ELMAN_INLINE V log_sum(V a, V b, V c) {
  const V high = larger(b, a), low = smaller(b, a);
  const V largest = larger(c, high), middle = smaller(c, high);
  return largest + log_from_1_to_3(splat<V>(1) + exp(middle - largest) + exp(low - largest));
}

template <int L>
void log_sum_rows(const double* a, const double* b, const double* c, const double* d, int n, double* to) {
  using V = Vec<double, L>;
  for (int i = 0; i < n; i += L) {
    const Extent extent{n - i};
    const auto at = [&](const double* p) ELMAN_INLINED { return extent.template load_at<V>(p + i, 0); };
    extent.store_at(to + i, 0, log_sum(at(a), at(b), at(c) + at(d)));
  }
}

template <int L> void exp_rows(const double* a, const double* b, double shift, int n, double* to) {
  using V = Vec<double, L>;
  for (int i = 0; i < n; i += L) {
    const Extent extent{n - i};
    const auto at = [&](const double* p) ELMAN_INLINED { return extent.template load_at<V>(p + i, 0); };
    extent.store_at(to + i, 0, exp(at(a) + at(b) + splat<V>(shift)));
  }
}

}  // namespace
}  // namespace elman
