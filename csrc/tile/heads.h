// The product of the way back through weights of several heads: the gradients of slots, times the weights
// that the slots' units have for the units of a group.
#pragma once

#include "kernels/heads.h"
#include "tile/tile.h"

namespace elman {
namespace {

// out[r] (+)= the sums over `heads` heads from `first` on, the slots and their K units. weights: W groups'
// [heads][slots][K][L], `apart` numbers from one to the next.
template <class V, int R, int W>
__attribute__((noinline)) void heads_tile(const Scalar<V>* const* in, Scalar<V>* const* out,
                                          const Heads& heads, int first, int count, int slots,
                                          const Scalar<V>* weights, int unit, bool add) {
  using T = Scalar<V>;
  V acc[R][W][1];
  unroll<R>([&](auto r) ELMAN_INLINED { unroll<W>([&](auto w) ELMAN_INLINED { acc[r][w][0] = V{}; }); });
  const std::ptrdiff_t apart = heads.apart(slots);
  for (int head = first; head < first + count; ++head)
    for (int s = 0; s < slots; ++s, weights += std::ptrdiff_t{heads.K} * heads.L) {
      const RowInputs<T, R> inputs(in, std::ptrdiff_t{s} * heads.H + std::ptrdiff_t{head} * heads.K);
      accumulate<0, 1>(acc, inputs, heads.K, weights, apart);
    }
  const Extent extent{heads.H - unit};
  unroll<R>([&](auto r) ELMAN_INLINED {
    T* const to = out[r] + unit;
    unroll<W>([&](auto w) ELMAN_INLINED {
      V v = acc[r][w][0];
      if (add) v = extent.load_at<V>(to, w) + v;
      extent.store_at(to, w, v);
    });
  });
}

// `in`: rows of slots * H.
template <class T, int L, int Registers>
void multiply_heads(const T* const* in, T* const* out, int rows, const Heads& heads, int slots,
                    const T* packed, int group_begin, int group_end, bool add) {
  constexpr int most = max_rows<Registers, tile_columns>;
  heads.each_alike(group_begin, group_end, [&](int begin, int groups) {
    split_evenly(begin, begin + groups, tile_columns, [&](int group, int width) {
      with_constant<tile_columns>(width, [&](auto W) {
        split_evenly(0, rows, most, [&](int row, int size) {
          with_constant<most>(size, [&](auto R) {
            heads_tile<Vec<T, L>, R, W>(in + row, out + row, heads, heads.first(group), heads.count(group),
                                        slots, packed + group * heads.apart(slots), group * L, add);
          });
        });
      });
    });
  });
}

}  // namespace
}  // namespace elman
