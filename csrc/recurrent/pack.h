// The layout of a cell's weights for the forward tile. For each group of units, one stretch of memory:
//   [S][L] biases, [vectors][L], both of T, then [I][x slots][L], then for each stage [H][h slots][L], of
//   Stored
// so that the tile reads its weights as one stream from front to back. Lanes past H are zero.
#pragma once

#include "kernels/recurrent.h"
#include "tile/pack.h"

namespace elman {
namespace {

// Sizes and offsets within a group, counted in numbers of Stored.
template <class Cell, class T, class Stored, int L> struct GroupLayout {
  static_assert(sizeof(T) % sizeof(Stored) == 0);
  static constexpr std::ptrdiff_t ratio = sizeof(T) / sizeof(Stored);
  int I, H;

  static constexpr std::ptrdiff_t x() { return ratio * (Cell::slots + Cell::vectors) * L; }
  std::ptrdiff_t h(int stage) const {
    std::ptrdiff_t at = x() + std::ptrdiff_t{I} * Cell::x.count() * L;
    for (int j = 0; j < stage; ++j) at += std::ptrdiff_t{H} * Cell::facts.stage(j).count() * L;
    return at;
  }
  // Rounded up to whole numbers of T, because the next group begins with them.
  std::ptrdiff_t size() const { return (h(Cell::stages) + ratio - 1) / ratio * ratio; }
};

template <class Cell, class T, class Stored, int L> std::size_t packed_bytes(int I, int H) {
  return static_cast<std::size_t>(H + L - 1) / L * GroupLayout<Cell, T, Stored, L>{I, H}.size() *
         sizeof(Stored);
}

template <class T, int L> void add_bias(const Feed& feed, const T* bias, int H, int unit, T* out) {
  if (!bias) return;
  for (int s = 0; s < feed.count(); ++s)
    for (int lane = 0; lane < L && unit + lane < H; ++lane)
      out[(feed.begin + s) * L + lane] += bias[feed.gate[s] * H + unit + lane];
}

template <class Cell, class T, class Stored, int L>
void pack(const Weights<T>& w, void* out, int group_begin, int group_end) {
  const GroupLayout<Cell, T, Stored, L> layout{w.I, w.H};
  for (int group = group_begin; group < group_end; ++group) {
    const int unit = group * L;
    Stored* const to = static_cast<Stored*>(out) + group * layout.size();
    T first[(Cell::slots + Cell::vectors) * L] = {};
    add_bias<T, L>(Cell::x, w.bias_ih, w.H, unit, first);
    for (int j = 0; j < Cell::stages; ++j) add_bias<T, L>(Cell::facts.stage(j), w.bias_hh, w.H, unit, first);
    for (int k = 0; k < Cell::vectors; ++k)
      for (int lane = 0; w.vectors[k] && lane < L && unit + lane < w.H; ++lane)
        first[(Cell::slots + k) * L + lane] = w.vectors[k][unit + lane];
    __builtin_memcpy(to, first, sizeof first);
    pack_feed<T, Stored, L>(Cell::x, w.ih, w.I, w.I, w.H, unit, to + layout.x());
    for (int j = 0; j < Cell::stages; ++j)
      pack_feed<T, Stored, L>(Cell::facts.stage(j), w.hh, w.H, w.H, w.H, unit, to + layout.h(j));
  }
}

}  // namespace
}  // namespace elman
