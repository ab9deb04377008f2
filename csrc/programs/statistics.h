// Means and variances of rows over all their units. Each thread computes those of its rows for itself, after
// the barrier, in lanes that do not depend on the instruction set (tile/lanes.h).
#pragma once

#include "kernels/recurrent.h"
#include "tile/lanes.h"

namespace elman {
namespace {

// What add(sum, v) makes of all numbers of some columns of a row. `fill`, which lanes beyond get, adds
// nothing.
template <class T, int L, class F>
ELMAN_INLINE T sum_of_columns(const Statistic& of, const T* row, int H, T fill, const F& add) {
  using V = Vec<T, L>;
  constexpr int W = sum_lanes / L;
  V sums[W] = {};
  for (int k = 0; k < of.count; ++k)
    by_lanes<T, L>(row + std::ptrdiff_t{of.column[k]} * H, H, fill, [&](int, const V* v) ELMAN_INLINED {
      unroll<W>([&](auto w) ELMAN_INLINED { sums[w] = add(sums[w], v[w]); });
    });
  T lanes[sum_lanes];
  unroll<W>([&](auto w) ELMAN_INLINED { store(lanes + w * L, sums[w]); });
  return add_lanes(lanes);
}

// Of a row of the tape, `row`, into the statistics of that row.
template <class T, int L> void compute(const Statistic& of, const T* row, int H, T* statistics) {
  using V = Vec<T, L>;
  const T count = static_cast<T>(of.count) * static_cast<T>(H);
  if (of.mean < 0) {
    const auto add = [](V sum, V v) ELMAN_INLINED { return sum + v; };
    statistics[of.to] = sum_of_columns<T, L>(of, row, H, T{0}, add) / count;
    return;
  }
  const T mean = statistics[of.mean];
  const V middle = splat<V>(mean);
  const auto add = [&](V sum, V v) ELMAN_INLINED { return mul_add(v - middle, v - middle, sum); };
  statistics[of.to] = sum_of_columns<T, L>(of, row, H, mean, add) / count;
}

// Those that a program asks for, of `count` rows.
template <class T, int L>
void compute_statistics(const LinkedProgram<T>& program, const RowPointers<T>& rows, int count, int H,
                        int each) {
  for (int i = 0; i < count; ++i)
    for (int n = 0; n < program.statistic_count; ++n)
      compute<T, L>(program.statistics[n], rows.slots[i], H, rows.statistics + std::ptrdiff_t{i} * each);
}

}  // namespace
}  // namespace elman
