// A step of a recurrence that is affine in its states, as one instruction (kernels/affine.h): what its
// program does, in the same order.
#pragma once

#include "kernels/recurrent.h"
#include "simd/extent.h"
#include "simd/unroll.h"

namespace elman {
namespace {

template <class T, int L, int N, bool Back, bool Mixture = false> class AffineStep {
 public:
  AffineStep(const Affine& affine, const RowPointers<T>& rows, int H) : affine_(affine), rows_(rows), H_(H) {}

  // For `count` rows from `begin` on.
  void run(int begin, int count, int group_begin, int group_end) const {
    const int end = group_end * L < H_ ? group_end * L : H_, whole = end / L * L;
    for (int row = begin; row < begin + count; ++row) {
      const Row at(*this, row);
      int u = group_begin * L;
#pragma GCC unroll 2
      for (; u < whole; u += L) at.take(u, Extent{L});
      if (u < end) at.take(u, Extent{end - u});
    }
  }

 private:
  using V = Vec<T, L>;

  T* column(int number, int row) const {
    if (number >= Affine::of_one) return rows_.left[0] + std::ptrdiff_t{number - Affine::of_one} * H_;
    return number < max_columns ? rows_.slots[row] + std::ptrdiff_t{number} * H_
                                : rows_.left[row] + std::ptrdiff_t{number - max_columns} * H_;
  }

  // Where a row's numbers lie.
  struct Row {
    const T *from[N], *constant[N], *factor[N][N];
    const T* above[N] = {};  // the gradient of h comes from above too
    T *to[N], *kept[N];
    int of[N][N];

    ELMAN_INLINE Row(const AffineStep& step, int row) {
      for (int k = 0; k < N; ++k) {
        const int state = step.affine_.state[k];
        if constexpr (Back) {
          from[k] = to[k] = step.rows_.d[state][row];
          kept[k] = step.column(step.affine_.kept[k], row);
          if (state == 0) above[k] = step.rows_.dy[row];
        } else {
          from[k] = step.rows_.before[state][row];
          to[k] = step.rows_.after[state][row];
          constant[k] = step.column(step.affine_.constant[k], row);
          kept[k] = Mixture && step.affine_.kept[k] >= 0 ? step.column(step.affine_.kept[k], row) : nullptr;
        }
        for (int n = 0; n < N; ++n) {
          factor[k][n] = step.column(step.affine_.factor[k][n], row);
          of[k][n] = step.affine_.of[k][n];
        }
      }
    }

    ELMAN_INLINE void take(int u, Extent extent) const {
      V s[N], made[N];
      unroll<N>([&](auto k) ELMAN_INLINED { s[k] = extent.load_at<V>(from[k] + u, 0); });
      if constexpr (Back) {
        unroll<N>([&](auto k) ELMAN_INLINED {
          if (above[k]) s[k] = s[k] + extent.load_at<V>(above[k] + u, 0);
        });
      }
      if constexpr (Mixture) {
        const V by = extent.load_at<V>(factor[0][0] + u, 0);
        if constexpr (Back) {
          made[0] = mul_add(-by, s[0], s[0]);
        } else {
          const V difference = extent.load_at<V>(constant[0] + u, 0) - s[0];
          if (kept[0]) extent.store_at(kept[0] + u, 0, difference);
          made[0] = mul_add(by, difference, s[0]);
        }
      } else {
        sums(u, extent, s, made);
      }
      // A gradient may be left where a factor was.
      unroll<N>([&](auto k) ELMAN_INLINED {
        if constexpr (Back) extent.store_at(kept[k] + u, 0, s[k]);
        extent.store_at(to[k] + u, 0, made[k]);
      });
    }

    ELMAN_INLINE void sums(int u, const Extent& extent, const V (&s)[N], V (&made)[N]) const {
      unroll<N>([&](auto k) ELMAN_INLINED {
        unroll<N>([&](auto n) ELMAN_INLINED {
          const V by = extent.load_at<V>(factor[k][n] + u, 0);
          const V state = N == 1 ? s[0] : of[k][n] ? s[N - 1] : s[0];
          if constexpr (n > 0) made[k] = mul_add(by, state, made[k]);
          else if constexpr (Back) made[k] = by * state;
          else made[k] = mul_add(by, state, extent.load_at<V>(constant[k] + u, 0));
        });
      });
    }
  };

  const Affine& affine_;
  const RowPointers<T>& rows_;
  const int H_;
};

// Whether it is such a program; then it has run.
template <class T, int L, bool Back>
ELMAN_INLINE bool run_affine(const Affine& affine, const RowPointers<T>& rows, int H, int begin, int count,
                             int group_begin, int group_end) {
  if (affine.count == 0) return false;
  if (affine.mixture)
    AffineStep<T, L, 1, Back, true>(affine, rows, H).run(begin, count, group_begin, group_end);
  else if (affine.count == 1)
    AffineStep<T, L, 1, Back>(affine, rows, H).run(begin, count, group_begin, group_end);
  else AffineStep<T, L, 2, Back>(affine, rows, H).run(begin, count, group_begin, group_end);
  return true;
}

}  // namespace
}  // namespace elman
