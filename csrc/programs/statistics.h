// Means and variances of rows over all their units. Each thread computes those of its rows for itself, after
// the barrier, in lanes that do not depend on the instruction set (tile/lanes.h).
#pragma once

#include "kernels/recurrent.h"
#include "tile/lanes.h"

namespace elman {
namespace {

// Of some rows at once, whose sums then need not wait for each other.
template <class T, int L, int R> class RowStatistics {
 public:
  RowStatistics(const RowPointers<T>& rows, int first, int H, int each)
      : rows_(rows), first_(first), H_(H), to_(rows.statistics + std::ptrdiff_t{first} * each), each_(each) {}

  __attribute__((noinline)) void compute(const Statistic& of) const {
    const T count = static_cast<T>(of.count) * static_cast<T>(H_);
    T fill[R] = {};
    if (of.mean < 0) {
      sums(
          of, fill, [](auto, V sum, V v) ELMAN_INLINED { return sum + v; },
          [&](int r, T sum) { at(r, of.to) = sum / count; });
      return;
    }
    V middle[R];
    for (int r = 0; r < R; ++r) fill[r] = at(r, of.mean), middle[r] = splat<V>(fill[r]);
    const auto add = [&](auto r, V sum, V v)
                         ELMAN_INLINED { return mul_add(v - middle[r], v - middle[r], sum); };
    sums(of, fill, add, [&](int r, T sum) {
      const T variance = sum / count;
      at(r, of.to) = of.epsilon < 0 ? variance : 1 / root(variance + static_cast<T>(of.epsilon));
    });
  }

 private:
  using V = Vec<T, L>;
  static constexpr int W = sum_lanes / L;

  T& at(int r, int number) const { return to_[std::ptrdiff_t{r} * each_ + number]; }
  static T root(T x) {
    T lanes[L];
    store(lanes, square_root(splat<V>(x)));
    return lanes[0];
  }

  const T* row(int r, int column) const {
    const int i = first_ + r;
    return column < max_columns ? rows_.slots[i] + std::ptrdiff_t{column} * H_
                                : rows_.left[i] + std::ptrdiff_t{column - max_columns} * H_;
  }

  // add(row, sum, v) over all vectors of the columns, then done(row, sum). `fill`, which lanes beyond a row's
  // end get, adds nothing.
  template <class Add, class Done>
  ELMAN_INLINE void sums(const Statistic& of, const T (&fill)[R], const Add& add, const Done& done) const {
    V sum[R][W] = {};
    for (int k = 0; k < of.count; ++k) {
      const T* from[R];
      for (int r = 0; r < R; ++r) from[r] = row(r, of.column[k]);
      int u = 0;
      for (; u + sum_lanes <= H_; u += sum_lanes)
        unroll<R>([&](auto r) ELMAN_INLINED {
          unroll<W>([&](auto w)
                        ELMAN_INLINED { sum[r][w] = add(r, sum[r][w], load<V>(from[r] + u + w * L)); });
        });
      if (u == H_) continue;
      unroll<R>([&](auto r) ELMAN_INLINED {
        T last[sum_lanes];
        for (int i = 0; i < sum_lanes; ++i) last[i] = u + i < H_ ? from[r][u + i] : fill[r];
        unroll<W>([&](auto w) ELMAN_INLINED { sum[r][w] = add(r, sum[r][w], load<V>(last + w * L)); });
      });
    }
    for (int r = 0; r < R; ++r) {
      T lanes[sum_lanes];
      unroll<W>([&](auto w) ELMAN_INLINED { store(lanes + w * L, sum[r][w]); });
      done(r, add_lanes(lanes));
    }
  }

  const RowPointers<T>& rows_;
  const int first_, H_;
  T* const to_;
  const int each_;
};

// Those that a program asks for, of `count` rows.
template <class T, int L>
void compute_statistics(const LinkedProgram<T>& program, const RowPointers<T>& rows, int count, int H,
                        int each) {
  if (!program.statistic_count) return;
  const auto compute = [&](auto R, int first) {
    const RowStatistics<T, L, R> statistics(rows, first, H, each);
    for (int n = 0; n < program.statistic_count; ++n) statistics.compute(program.statistics[n]);
  };
  // As many rows as keep their sums in registers.
  constexpr int at_once = L < 4 ? 1 : L < 8 ? 2 : 4;
  int i = 0;
  if constexpr (at_once > 1)
    for (; i + at_once <= count; i += at_once) compute(std::integral_constant<int, at_once>{}, i);
  for (; i < count; ++i) compute(std::integral_constant<int, 1>{}, i);
}

}  // namespace
}  // namespace elman
