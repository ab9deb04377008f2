// Products with a plain matrix, as the caller's array holds it: one pointer for each of its K rows of N. The
// sums add the same terms in the same order as those with a packed one (tile.h), so they have the same bits.
#pragma once

#include "tile/pack.h"
#include "tile/product.h"

namespace elman {
namespace {

// What becomes of a tile's sums: they are written, or added to what is there, or written as what they make
// when they are added to zeros. (That has no negative zeros.)
enum class Onto { nothing, sums, zeros };

// product_tile, of a plain matrix.
template <class V, int R, int W, class Inputs>
__attribute__((noinline)) void plain_tile(const Inputs& inputs, Scalar<V>* const* out, int K,
                                          const Scalar<V>* const* rows, int unit, int N, Onto onto) {
  constexpr int L = Lanes<V>::count;
  const Extent extent{N - unit};
  V acc[R][W][1];
  unroll<R>([&](auto r) ELMAN_INLINED { unroll<W>([&](auto w) ELMAN_INLINED { acc[r][w][0] = V{}; }); });
  const auto sum = [&](auto whole) ELMAN_INLINED {
    in_parts(acc, K, [&](auto& part, std::ptrdiff_t k, std::ptrdiff_t end) ELMAN_INLINED {
      for (; k < end; ++k) {
        const Scalar<V>* const row = rows[k] + unit;
        V input[R];
        unroll<R>([&](auto r) ELMAN_INLINED { input[r] = splat<V>(inputs.at(r, k)); });
        unroll<W>([&](auto w) ELMAN_INLINED {
          V weight;
          if constexpr (whole) weight = load<V>(row + w * L);
          else weight = extent.load_at<V>(row, w);
          pin(weight);
          unroll<R>([&](auto r) ELMAN_INLINED { part[r][w][0] = mul_add(input[r], weight, part[r][w][0]); });
        });
      }
    });
  };
  if (extent.count >= W * L) sum(std::true_type{});
  else sum(std::false_type{});
  unroll<R>([&](auto r) ELMAN_INLINED {
    unroll<W>([&](auto w) ELMAN_INLINED {
      V v = acc[r][w][0];
      if (onto == Onto::sums) v = extent.load_at<V>(out[r] + unit, w) + v;
      if (onto == Onto::zeros) v = V{} + v;
      extent.store_at(out[r] + unit, w, v);
    });
  });
}

// For some of the groups [group_begin, group_end): out[r] (+)= in[r] times the matrix. Many rows share a
// strip of the matrix that is packed first, a few read it where it lies. `scratch`: plain_scratch(K,
// count) numbers.
template <int Registers> constexpr int few_tiles = 2 * max_rows<Registers, tile_columns>;

template <class T, int L, int Registers> std::size_t plain_scratch(int K, int count) {
  return count > few_tiles<Registers> ? std::size_t(K) * tile_columns * L : 0;
}

template <class T, int L, int Registers>
void multiply_plain(const T* const* in, T* const* out, int count, int K, const T* const* rows, int N,
                    int group_begin, int group_end, bool add, T* scratch) {
  using V = Vec<T, L>;
  const FlushDenormals flush;
  constexpr int most = max_rows<Registers, tile_columns>;
  split_evenly(group_begin, group_end, tile_columns, [&](int group, int width) {
    if (count > few_tiles<Registers>) {
      T* const packed = scratch - std::ptrdiff_t{group} * K * L;
      pack_matrix<T, L>(rows, K, N, packed, group, group + width);
      return multiply_tiles<T, L, Registers, tile_columns>(in, out, count, K, packed, N, group, group + width,
                                                           add);
    }
    with_constant<tile_columns>(width, [&](auto W) {
      split_evenly(0, count, most, [&](int row, int size) {
        with_constant<most>(size, [&](auto R) {
          plain_tile<V, R, W>(RowInputs<T, R>(in + row), out + row, K, rows, group * L, N,
                              add ? Onto::sums : Onto::nothing);
        });
      });
    });
  });
}

}  // namespace
}  // namespace elman
