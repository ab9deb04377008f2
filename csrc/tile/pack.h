// Weights in the order in which a tile reads them.
#pragma once

#include "cells/cell.h"
#include "tile/plain.h"

namespace elman {
namespace {

// [group][K][L]: each group of units reads its weights as one stream. Lanes past N are zero.
template <class T, int L>
void pack_matrix(const T* const* rows, int K, int N, T* out, int group_begin, int group_end) {
  using V = Vec<T, L>;
  // Few groups at a time: their streams may lie a power of two apart, and a cache then has place for few.
  constexpr int at_once = 4;
  split_evenly(group_begin, group_end, at_once, [&](int first, int count) {
    const Extent extent{N - first * L};
    T* const to = out + static_cast<std::ptrdiff_t>(first) * K * L;
    with_constant<at_once>(count, [&](auto W) {
      for (int k = 0; k < K; ++k)
        unroll<W>([&](auto w) ELMAN_INLINED {
          store(to + (w * static_cast<std::ptrdiff_t>(K) + k) * L,
                extent.template load_at<V>(rows[k] + first * L, w));
        });
    });
  });
}

// [K][slots][L] from rows of K that lie `stride` apart, one row for each slot and lane. A slot's part of K is
// written before the next slot's, so that what is being written stays in the L1 cache.
template <class T, class Stored, int L>
void pack_feed(const Feed& feed, const T* weights, std::ptrdiff_t stride, int K, int H, int unit,
               Stored* out) {
  const std::ptrdiff_t apart = feed.count() * L;
  for (int begin = 0; begin < K; begin += part_length) {
    const int end = K - begin < part_length ? K : begin + static_cast<int>(part_length);
    for (int s = 0; s < feed.count(); ++s) {
      const UnitRows<T> rows{weights + (std::ptrdiff_t{feed.gate[s]} * H + unit) * stride, stride, H - unit};
      Stored* to = out + begin * apart + s * L;
      int k = begin;
      if (rows.count >= L) {
        for (; k + L <= end; k += L, to += L * apart) {
          Vec<T, L> v[L];
          load_columns(v, rows, k);
          unroll<L>([&](auto i) ELMAN_INLINED { store_as(to + i * apart, v[i]); });
        }
      }
      for (int n; k < end; k += n, to += L * apart) {
        n = end - k < L ? end - k : L;
        Vec<T, L> v[L];
        load_edge(v, rows, k, n);
        for (int i = 0; i < n; ++i) store_as(to + i * apart, v[i]);
      }
    }
  }
}

// The layout of pack_matrix (product.h) from the matrix's transpose: one slot, no bias.
template <class T, int L>
void pack_transposed(const T* matrix, std::ptrdiff_t stride, int K, int N, T* out, int group_begin,
                     int group_end) {
  for (int group = group_begin; group < group_end; ++group)
    pack_feed<T, T, L>({0, 1, {0}}, matrix, stride, K, N, group * L, out + std::ptrdiff_t{group} * K * L);
}

}  // namespace
}  // namespace elman
