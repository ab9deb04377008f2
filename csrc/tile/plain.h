// Plain weights: [N, K] as the caller's array holds them, a row for each unit. A tile needs vectors of one k
// and many units, so blocks of L rows and L columns are transposed in registers, on their way from where they
// lie. Nothing outside the array is read.
#pragma once

#include "simd/transpose.h"
#include "tile/tile.h"

namespace elman {
namespace {

// The rows of one slot from a unit on.
template <class T> struct UnitRows {
  const T* first;
  std::ptrdiff_t stride;  // from row to row
  int count;              // units up to the last one

  UnitRows from(int unit) const { return {first + unit * stride, stride, count - unit}; }
};

// v[i]: L units at column k + i. There must be L of both.
template <class V>
ELMAN_INLINE void load_columns(V (&v)[Lanes<V>::count], const UnitRows<Scalar<V>>& rows, std::ptrdiff_t k) {
  const Scalar<V>* p = rows.first + k;
  hide(p);
  unroll<Lanes<V>::count>([&](auto i) ELMAN_INLINED {
    v[i] = load<V>(p);
    p += rows.stride;
  });
  transpose(v);
}

// The same at the edges of the array: n columns, and as many units as there are. Other lanes are zero.
template <class V>
__attribute__((noinline)) void load_edge(V (&v)[Lanes<V>::count], const UnitRows<Scalar<V>>& rows,
                                         std::ptrdiff_t k, int n) {
  constexpr int L = Lanes<V>::count;
  Scalar<V> lanes[L][L] = {};
  for (int unit = 0; unit < L && unit < rows.count; ++unit)
    for (int i = 0; i < n; ++i) lanes[i][unit] = rows.first[unit * rows.stride + k + i];
  for (int i = 0; i < L; ++i) v[i] = load<V>(lanes[i]);
}

// acc[r][c] += sum over k of inputs(r, k) * the weights of C neighbouring groups of units, for k in [k, end).
template <class V, int R, int C, class Inputs>
__attribute__((noinline)) void accumulate_plain_part(V (&acc)[R][C][1], const Inputs& inputs,
                                                     std::ptrdiff_t k, std::ptrdiff_t end,
                                                     const UnitRows<Scalar<V>>& rows) {
  constexpr int L = Lanes<V>::count;
  V sum[R][C];
  unroll<R>([&](auto r)
                ELMAN_INLINED { unroll<C>([&](auto c) ELMAN_INLINED { sum[r][c] = acc[r][c][0]; }); });
  if (rows.count >= C * L) {
    for (; k + L <= end; k += L) {
      unroll<C>([&](auto c) ELMAN_INLINED {
        V v[L];
        load_columns(v, rows.from(c * L), k);
        std::ptrdiff_t at = k;
        hide(at);  // else one group's inputs would wait in registers for the next group
        unroll<L>([&](auto i) ELMAN_INLINED {
          unroll<R>([&](auto r) ELMAN_INLINED {
            sum[r][c] = mul_add(splat<V>(inputs.at(r, at + i)), v[i], sum[r][c]);
          });
        });
      });
    }
  }
  for (int n; k < end; k += n) {
    n = end - k < L ? static_cast<int>(end - k) : L;
    unroll<C>([&](auto c) ELMAN_INLINED {
      V v[L];
      load_edge(v, rows.from(c * L), k, n);
      for (int i = 0; i < n; ++i)
        unroll<R>([&](auto r)
                      ELMAN_INLINED { sum[r][c] = mul_add(splat<V>(inputs.at(r, k + i)), v[i], sum[r][c]); });
    });
  }
  unroll<R>([&](auto r)
                ELMAN_INLINED { unroll<C>([&](auto c) ELMAN_INLINED { acc[r][c][0] = sum[r][c]; }); });
}

// The same over k in [0, K), in parts. Rows are walked from end to end, which is the order that processors
// prefetch best: with a part of every slot in turns it took half as long again. Two groups at once hide the
// latency of the multiply-add where there is only one row of inputs. With more rows, or with four groups,
// there are too few registers.
template <class V, int R, int C, class Inputs>
ELMAN_INLINE void accumulate_plain(V (&acc)[R][C][1], const Inputs& inputs, std::ptrdiff_t K,
                                   const UnitRows<Scalar<V>>& rows) {
  in_parts(acc, K, [&](auto& part, std::ptrdiff_t k, std::ptrdiff_t end) ELMAN_INLINED {
    accumulate_plain_part(part, inputs, k, end, rows);
  });
}

}  // namespace
}  // namespace elman
