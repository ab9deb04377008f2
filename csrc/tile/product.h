// A plain product on the register tile: rows times a packed matrix.
#pragma once

#include "tile/pack.h"
#include "tile/tile.h"

namespace elman {
namespace {

// Never inlined. Inside its callers' loops the compiler has too few registers for the addresses, and the
// inner loop of the largest tile becomes longer.
template <class V, int R, int W, class Inputs>
__attribute__((noinline)) void product_tile(const Inputs& inputs, Scalar<V>* const* out, int K,
                                            const Scalar<V>* weights, std::ptrdiff_t stride, int unit, int N,
                                            bool add) {
  V acc[R][W][1];
  unroll<R>([&](auto r) ELMAN_INLINED {
    unroll<W>([&](auto w) ELMAN_INLINED {
      acc[r][w][0] = V{};
      prefetch_for_write(out[r] + unit + w * Lanes<V>::count);  // wanted when the sum is done
    });
  });
  accumulate<0, 1>(acc, inputs, K, weights, stride);
  const Extent extent{N - unit};
  unroll<R>([&](auto r) ELMAN_INLINED {
    Scalar<V>* const to = out[r] + unit;
    unroll<W>([&](auto w) ELMAN_INLINED {
      V v = acc[r][w][0];
      if (add) v = extent.load_at<V>(to, w) + v;
      extent.store_at(to, w, v);
    });
  });
}

// out[r] (+)= in[r] times the groups [group_begin, group_end) of the packed matrix, in tiles of up to Columns
// groups.
template <class T, int L, int Registers, int Columns>
void multiply_tiles(const T* const* in, T* const* out, int count, int K, const T* packed, int N,
                    int group_begin, int group_end, bool add) {
  using V = Vec<T, L>;
  constexpr int most = max_rows<Registers, Columns>;
  const std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(K) * L;
  split_evenly(group_begin, group_end, Columns, [&](int group, int width) {
    with_constant<Columns>(width, [&](auto W) {
      split_evenly(0, count, most, [&](int row, int size) {
        with_constant<most>(size, [&](auto R) {
          product_tile<V, R, W>(RowInputs<T, R>(in + row), out + row, K, packed + group * stride, stride,
                                group * L, N, add);
        });
      });
    });
  });
}

template <class T, int L, int Registers>
void multiply_rows(const T* const* in, T* const* out, int count, int K, const T* packed, int N,
                   int group_begin, int group_end, bool add) {
  // One tile of rows after the other reads the same columns of weights: they should stay in the L2 cache.
  constexpr int most_bytes = 768 << 10;
  if (std::ptrdiff_t{K} * tile_columns * L * int{sizeof(T)} <= most_bytes)
    multiply_tiles<T, L, Registers, tile_columns>(in, out, count, K, packed, N, group_begin, group_end, add);
  else multiply_tiles<T, L, Registers, 2>(in, out, count, K, packed, N, group_begin, group_end, add);
}

// multiply_rows as a kernel of its own, outside a scan.
template <class T, int L, int Registers>
void product(const T* const* in, T* const* out, int count, int K, const T* packed, int N, bool add) {
  const FlushDenormals flush;
  multiply_rows<T, L, Registers>(in, out, count, K, packed, N, 0, (N + L - 1) / L, add);
}

}  // namespace
}  // namespace elman
