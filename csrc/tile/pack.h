// Weights in the order in which a tile reads them.
#pragma once

#include "cells/cell.h"
#include "tile/tile.h"

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

// [K][slots][L] from rows of K that lie `stride` apart, one row for each slot and lane. K is taken in short
// parts, so that what is being written stays in the L1 cache while the rows are read a cache line at a time.
template <class T, class Stored, int L>
void pack_feed(const Feed& feed, const T* weights, std::ptrdiff_t stride, int K, int H, int unit,
               Stored* out) {
  constexpr int run = 16;
  const int slots = feed.count();
  for (int k0 = 0; k0 < K; k0 += run) {
    const int k1 = k0 + run < K ? k0 + run : K;
    for (int s = 0; s < slots; ++s) {
      for (int lane = 0; lane < L; ++lane) {
        Stored* to = out + s * L + lane;
        if (unit + lane < H) {
          const T* from = weights + (static_cast<std::ptrdiff_t>(feed.gate[s]) * H + unit + lane) * stride;
          for (int k = k0; k < k1; ++k)
            to[static_cast<std::ptrdiff_t>(k) * slots * L] = static_cast<Stored>(from[k]);
        } else {
          for (int k = k0; k < k1; ++k) to[static_cast<std::ptrdiff_t>(k) * slots * L] = 0;
        }
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
