// The layout of a cell's weights for the forward tile. For each group of units, one run of memory:
//   [S][L] biases, then [I][x slots][L], then [H][h slots][L]
// so that the tile reads its weights as one stream from front to back. Lanes past H are zero.
#pragma once

#include "kernels/recurrent.h"
#include "tile/pack.h"

namespace elman {
namespace {

template <class Cell> constexpr std::ptrdiff_t group_rows(int I, int H) {
  return Cell::slots + std::ptrdiff_t{I} * Cell::x.count() + std::ptrdiff_t{H} * Cell::h.count();
}

template <class Cell, int L> std::size_t packed_size(int I, int H) {
  return static_cast<std::size_t>(H + L - 1) / L * group_rows<Cell>(I, H) * L;
}

template <class T, int L> void add_bias(const Feed& feed, const T* bias, int H, int unit, T* out) {
  if (!bias) return;
  for (int s = 0; s < feed.count(); ++s)
    for (int lane = 0; lane < L && unit + lane < H; ++lane)
      out[(feed.begin + s) * L + lane] += bias[feed.gate[s] * H + unit + lane];
}

template <class Cell, class T, int L> void pack(const Weights<T>& w, T* out, int group_begin, int group_end) {
  for (int group = group_begin; group < group_end; ++group) {
    const int unit = group * L;
    T* to = out + group * group_rows<Cell>(w.I, w.H) * L;
    for (int i = 0; i < Cell::slots * L; ++i) to[i] = 0;
    add_bias<T, L>(Cell::x, w.bias_ih, w.H, unit, to);
    add_bias<T, L>(Cell::h, w.bias_hh, w.H, unit, to);
    to += Cell::slots * L;
    pack_feed<T, L>(Cell::x, w.ih, w.I, w.I, w.H, unit, to);
    pack_feed<T, L>(Cell::h, w.hh, w.H, w.H, w.H, unit, to + std::ptrdiff_t{w.I} * Cell::x.count() * L);
  }
}

}  // namespace
}  // namespace elman
