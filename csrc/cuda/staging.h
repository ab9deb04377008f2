// What the ways to compute a step's recurrent product share: how blocks pass on, and what comes into shared
// memory.
#pragma once

#include "multiply.h"

namespace elman::cuda {

// In shared memory: every block stores into the inboxes of its team, a cluster of blocks or itself alone. In
// global memory: in words that hold four bytes and the step's number, of which the team's blocks read until
// each is of the step that they wait for. Where each step is a launch nothing is passed on: the next one
// reads results.
enum class Exchange { shared, global, none };

ELMAN_DEVICE int alive_at(const PlanView& plan, int t) { return t < plan.steps ? plan.alive[t] : 0; }

// Of a product's input k the gate, counted among those that h feeds, and the unit.
struct Source {
  int feed, unit;
};

ELMAN_DEVICE int tiles_of(int columns) { return (columns + tile_rows - 1) / tile_rows; }

// All blocks of a cluster, or the one that there is.
ELMAN_DEVICE void meet(int ranks) {
  if (ranks == 1) block_sync();
  else cluster_sync();
}

// Tiles of weights as multiply reads them, `groups` times M: those of k from `first` on. The source gives
// pairs along k, zeros where there is nothing: weight(index, m, row of the tile, k), k even.
template <class T, int M, class WeightAt>
ELMAN_DEVICE void stage(Pair<T>* to, int groups, const WeightAt& weight, int first, int count) {
  using P = Product<T>;
  constexpr int pairs = P::K / 2;
  const int across = count * pairs, all = groups * M * group * across;
  ELMAN_NO_UNROLL
  for (int j = thread_index(); j < all; j += threads()) {
    const int k = j % across, row = j / across % group, m = j / across / group % M;
    const int g = j / across / group / M, tile = k / pairs, inside = k % pairs * 2;
    to[((g * count + tile) * M + m) * P::weight_pairs + P::weight_at(row, inside)] =
        P::operand(weight(g, m, row, (first + tile) * P::K + inside));
  }
}

// The place in an inbox of the pair k, k + 1 of a column.
template <class T, int N> ELMAN_DEVICE int inbox_at(int column, int k) {
  using P = Product<T>;
  return (k / P::K * N + column / tile_rows) * P::input_pairs + P::input_at(k % P::K, column % tile_rows);
}

// Tiles of inputs, likewise: input(column, k).
template <class T, int N, class InputAt>
ELMAN_DEVICE void fill(Pair<T>* to, const InputAt& input, int first, int count) {
  using P = Product<T>;
  const int across = count * (P::K / 2), all = N * tile_rows * across;
  ELMAN_NO_UNROLL
  for (int j = thread_index(); j < all; j += threads()) {
    const int k = j % across * 2, column = j / across;
    to[inbox_at<T, N>(column, k)] = P::operand(input(column, first * P::K + k));
  }
}

}  // namespace elman::cuda
