// The layout of a cell's weights for the forward tile. For each group of units, one stretch of memory:
//   [S][L] biases of T, then [I][x slots][L], then for each stage [H][h slots][L], of Stored
// so that the tile reads its weights as one stream from front to back. Lanes past H are zero.
#pragma once

#include "kernels/recurrent.h"
#include "tile/pack.h"

namespace elman {
namespace {

// In the place of Stored: weights as the caller's arrays hold them.
struct Plain {};

// Sizes and offsets within a group, counted in numbers of Stored.
template <class Cell, class T, class Stored, int L> struct GroupLayout {
  static_assert(sizeof(T) % sizeof(Stored) == 0);
  static constexpr std::ptrdiff_t ratio = sizeof(T) / sizeof(Stored);
  int I, H;

  static constexpr std::ptrdiff_t x() { return ratio * Cell::slots * L; }
  std::ptrdiff_t h(int stage) const {
    std::ptrdiff_t at = x() + std::ptrdiff_t{I} * Cell::x.count() * L;
    for (int j = 0; j < stage; ++j) at += std::ptrdiff_t{H} * Cell::facts.stage(j).count() * L;
    return at;
  }
  // Rounded up to whole numbers of T, because the next group begins with them.
  std::ptrdiff_t size() const { return (h(Cell::stages) + ratio - 1) / ratio * ratio; }
};

template <class Cell, class T, class Stored, int L>
std::size_t packed_bytes(const LinkedCell<T>*, int I, int H, int) {
  return static_cast<std::size_t>(H + L - 1) / L * GroupLayout<Cell, T, Stored, L>{I, H}.size() *
         sizeof(Stored);
}

// first[slot] += the biases of the slots that a product feeds.
template <class V> void add_bias(const Feed& feed, const Scalar<V>* bias, int H, int unit, V* first) {
  const Extent extent{H - unit};
  for (int s = 0; bias && s < feed.count(); ++s)
    first[feed.begin + s] = first[feed.begin + s] + extent.load_at<V>(bias + feed.gate[s] * H + unit, 0);
}

// What comes first in a group of units.
template <class Cell, class T, int L> struct First {
  using V = Vec<T, L>;
  V of[Cell::slots] = {};

  First(const Weights<T>& w, int group) {
    const int unit = group * L;
    add_bias(Cell::x, w.bias_ih, w.H, unit, of);
    for (int j = 0; j < Cell::stages; ++j) add_bias(Cell::facts.stage(j), w.bias_hh, w.H, unit, of);
  }
};

template <class Cell, class T, class Stored, int L>
void pack(const LinkedCell<T>*, const Weights<T>& w, void* out, int group_begin, int group_end) {
  const GroupLayout<Cell, T, Stored, L> layout{w.I, w.H};
  for (int group = group_begin; group < group_end; ++group) {
    const int unit = group * L;
    Stored* const to = static_cast<Stored*>(out) + group * layout.size();
    const First<Cell, T, L> first(w, group);
    __builtin_memcpy(to, &first, sizeof first);
    pack_feed<T, Stored, L>(Cell::x, w.ih, w.I, w.I, w.H, unit, to + layout.x());
    for (int j = 0; j < Cell::stages; ++j)
      pack_feed<T, Stored, L>(Cell::facts.stage(j), w.hh, w.H, w.H, w.H, unit, to + layout.h(j));
  }
}

// For a step over plain weights: what comes first in every group, one after the other.
template <class Cell, class T, int L> void pack_first(const LinkedCell<T>*, const Weights<T>& w, T* out) {
  constexpr int size = sizeof(First<Cell, T, L>) / sizeof(T);
  for (int group = 0; group * L < w.H; ++group) {
    const First<Cell, T, L> first(w, group);
    __builtin_memcpy(out + std::ptrdiff_t{group} * size, &first, sizeof first);
  }
}

}  // namespace
}  // namespace elman
