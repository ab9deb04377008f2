// What gather.h and scatter.h share: how blocks pass on, and how tiles are staged.
#pragma once

#include <type_traits>

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

// What a recurrent product sums over: `slots` times H inputs. `paired`: see Access.
struct Terms {
  int slots, H;
  bool paired;
};

// The power of two that is not below n: its exponent.
ELMAN_DEVICE int bits_of(int n) {
  int bits = 0;
  while (1 << bits < n) ++bits;
  return bits;
}

// For `all` numbers j spread over the block's threads: to[place(j)] = value(j). Many loads are in flight
// before the first is waited for. place(j) is negative where there is nothing.
template <int ahead, class T, class Place, class Value>
ELMAN_DEVICE void copy(Pair<T>* to, int all, const Place& place, const Value& value) {
  ELMAN_NO_UNROLL
  for (int first = thread_index(); first < all; first += ahead * threads()) {
    Pair<T> found[ahead];
    int places[ahead];
    ELMAN_UNROLL
    for (int i = 0; i < ahead; ++i) {
      const int j = first + i * threads();
      places[i] = j < all ? place(j) : -1;
      found[i] = places[i] < 0 ? Pair<T>{} : value(j);
    }
    ELMAN_UNROLL
    for (int i = 0; i < ahead; ++i)
      if (places[i] >= 0) to[places[i]] = Product<T>::operand(found[i]);
  }
}

// Stages tiles of weights, `groups` times M: those of k from `first` on. weight(whole, index, m, row of the
// tile, k) gives pairs along k, zeros where there is nothing; k is even. Neighbouring threads read what is
// neighbouring in memory: along k, or along the rows of the tile.
template <class T, int M, bool along_k, class WeightAt>
ELMAN_DEVICE void stage(Pair<T>* to, int groups, const WeightAt& weight, int first, int count, bool paired) {
  using P = Product<T>;
  constexpr int pairs = P::K / 2, ahead = 8;
  const int across = count * pairs, bits = bits_of(across), mask = (1 << bits) - 1;
  const auto k_of = [&](int j) { return (along_k ? j : j / group) & mask; };
  const auto row_of = [&](int j) { return (along_k ? j >> bits : j) % group; };
  const auto tile_of = [&](int j) { return (j >> bits) / group; };
  const auto place = [&](int j) {
    const int k = k_of(j), m = tile_of(j) % M, g = tile_of(j) / M;
    if (k >= across) return -1;
    return ((g * count + k / pairs) * M + m) * P::weight_pairs + P::weight_at(row_of(j), k % pairs * 2);
  };
  const auto value = [&](auto whole) {
    return [&, whole](int j) {
      return weight(whole, tile_of(j) / M, tile_of(j) % M, row_of(j), first * P::K + k_of(j) * 2);
    };
  };
  const int all = (groups * M * group) << bits;
  if (paired) copy<ahead>(to, all, place, value(std::true_type{}));
  else copy<ahead>(to, all, place, value(std::false_type{}));
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
  const int across = count * (P::K / 2), bits = bits_of(across), mask = (1 << bits) - 1;
  const auto place = [&](int j) {
    return (j & mask) < across ? inbox_at<T, N>(j >> bits, (j & mask) * 2) : -1;
  };
  const auto value = [&](int j) { return input(j >> bits, first * P::K + (j & mask) * 2); };
  copy<4>(to, (N * tile_segments) << bits, place, value);
}

}  // namespace elman::cuda
