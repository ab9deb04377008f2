// What gather.h and scatter.h share: how blocks pass on, and how tiles are staged.
#pragma once

#include "multiply.h"

namespace elman::cuda {

// How a team's blocks pass on. Shared: each pushes into the shared memory of all, which are one cluster or
// one block. Global: each writes words, which the others read until they are of the step that they wait for.
// None: each step is a launch, which reads the results of the one before.
enum class Exchange { shared, global, none };

// Which value input k of a product is: the slot, counted among those that h feeds, and the unit.
struct Source {
  int slot, unit;
};

ELMAN_DEVICE int tiles_of(int columns) { return (columns + tile_segments - 1) / tile_segments; }

// All blocks of a cluster wait for each other, or all threads of the one block.
ELMAN_DEVICE void meet(int ranks) {
  if (ranks == 1) block_sync();
  else cluster_sync();
}

// Stages tiles of weights, `groups` times M: those of k from `first` on. weight(index, m, row of the tile, k)
// gives pairs along k, zeros where there is nothing; k is even.
template <class T, int M, class WeightAt>
ELMAN_DEVICE void stage(Pair<T>* to, int groups, const WeightAt& weight, int first, int count) {
  using P = Product<T>;
  constexpr int pairs = P::K / 2;
  const int across = count * pairs, all = groups * M * group * across;
  constexpr int ahead = 8;  // loads of a thread in flight
  ELMAN_NO_UNROLL
  for (int j = thread_index(); j < all; j += ahead * threads()) {
    Pair<T> found[ahead];
    int place[ahead];
    ELMAN_UNROLL
    for (int i = 0; i < ahead; ++i) {
      const int at = j + i * threads(), k = at % across, line = at / across, row = line % group;
      const int m = line / group % M, g = line / group / M, tile = k / pairs, inside = k % pairs * 2;
      place[i] = at < all ? ((g * count + tile) * M + m) * P::weight_pairs + P::weight_at(row, inside) : -1;
      if (at < all) found[i] = weight(g, m, row, (first + tile) * P::K + inside);
    }
    ELMAN_UNROLL
    for (int i = 0; i < ahead; ++i)
      if (place[i] >= 0) to[place[i]] = P::operand(found[i]);
  }
}

// The place in an inbox of the pair k, k + 1 of a column.
template <class T, int N> ELMAN_DEVICE int inbox_at(int column, int k) {
  using P = Product<T>;
  return (k / P::K * N + column / tile_segments) * P::input_pairs +
         P::input_at(k % P::K, column % tile_segments);
}

// The same for tiles of inputs: input(column, k).
template <class T, int N, class InputAt>
ELMAN_DEVICE void fill(Pair<T>* to, const InputAt& input, int first, int count) {
  using P = Product<T>;
  const int across = count * (P::K / 2), all = N * tile_segments * across;
  constexpr int ahead = 4;
  ELMAN_NO_UNROLL
  for (int j = thread_index(); j < all; j += ahead * threads()) {
    Pair<T> found[ahead];
    int place[ahead];
    ELMAN_UNROLL
    for (int i = 0; i < ahead; ++i) {
      const int at = j + i * threads(), k = at % across * 2, column = at / across;
      place[i] = at < all ? inbox_at<T, N>(column, k) : -1;
      if (at < all) found[i] = input(column, first * P::K + k);
    }
    ELMAN_UNROLL
    for (int i = 0; i < ahead; ++i)
      if (place[i] >= 0) to[place[i]] = P::operand(found[i]);
  }
}

}  // namespace elman::cuda
