// The recurrent product of a warp, out of shared memory: a tile of weights, 16 rows (the units of a group,
// for one gate) by K, times a tile of inputs, K by 8 rows of the plan. A lane holds, of the 16 x 8 sums,
// those of units 2 (lane / 4) and the next, for rows 2 (lane % 4) and the next: all gates of its units, so
// that the cell runs on the sums where they are. In memory the tiles lie as the lanes read them, in pairs (k,
// k + 1).
#pragma once

#include "job.h"
#include "simd/vec.h"
#include "types.h"

namespace elman::cuda {

// The sums of a lane: [unit][row] as 2 unit + row.
using Sums = float[4];

// The unit of row m of a weights' tile: rows m and m + 8, which one lane holds, are neighbours.
ELMAN_DEVICE int unit_of_row(int m) { return 2 * (m % 8) + m / 8; }

// On the tensor cores, 16-bit.
template <class T> struct Product {
  static constexpr Tile tile = tile_16;
  static constexpr int K = tile.k, weight_pairs = tile.weight_pairs, input_pairs = tile.input_pairs;

  struct Weights {
    uint32_t bits[4];
  };
  struct Inputs {
    uint32_t bits[2];
  };
  static ELMAN_DEVICE int weight_at(int m, int k) { return (m % 8 * 4 + k % 8 / 2) * 4 + m / 8 + k / 8 * 2; }
  static ELMAN_DEVICE int input_at(int k, int n) { return (n * 4 + k % 8 / 2) * 2 + k / 8; }

  static ELMAN_DEVICE Pair<T> operand(Pair<T> p) { return p; }  // as the product takes it

  static ELMAN_DEVICE Weights weights(const Pair<T>* tile, int lane) {
    return reinterpret_cast<const Aligned<Weights, 16>*>(tile)[lane].value;
  }
  static ELMAN_DEVICE Inputs inputs(const Pair<T>* tile, int lane) {
    return reinterpret_cast<const Aligned<Inputs, 8>*>(tile)[lane].value;
  }
  static ELMAN_DEVICE void add(Sums& sums, const Weights& w, const Inputs& x) {
    // The tile's columns 2 (lane % 4) and the next come as sums[0], [1] of row lane / 4, [2], [3] of that
    // + 8.
    multiply_tiles<T>(sums, w.bits, x.bits);
  }

 private:
  template <class V, int bytes> struct alignas(bytes) Aligned {
    V value;
  };
};

// On the tensor cores, float rounded to 10 bits of mantissa. A tile's k = 2 i and 2 i + 1 are the hardware's
// i and i + 4, on both sides, so that pairs stay together.
template <> struct Product<Tf32> {
  static constexpr Tile tile = tile_tf32;
  static constexpr int K = tile.k, weight_pairs = tile.weight_pairs, input_pairs = tile.input_pairs;

  struct alignas(16) Weights {
    float v[4];
  };
  struct alignas(8) Inputs {
    float v[2];
  };
  static ELMAN_DEVICE int weight_at(int m, int k) { return (m % 8 * 4 + k / 2) * 2 + m / 8; }
  static ELMAN_DEVICE int input_at(int k, int n) { return n * 4 + k / 2; }
  static ELMAN_DEVICE Pair<Tf32> operand(Pair<Tf32> p) {
    return {{round_tf32(p.x.value)}, {round_tf32(p.y.value)}};
  }

  static ELMAN_DEVICE Weights weights(const Pair<Tf32>* tile, int lane) {
    return reinterpret_cast<const Weights*>(tile)[lane];
  }
  static ELMAN_DEVICE Inputs inputs(const Pair<Tf32>* tile, int lane) {
    return reinterpret_cast<const Inputs*>(tile)[lane];
  }
  static ELMAN_DEVICE void add(Sums& sums, const Weights& w, const Inputs& x) {
    multiply_tf32(sums, {w.v[0], w.v[2], w.v[1], w.v[3]}, x.v);
  }
};

// By multiply-adds, float: nothing is rounded to fewer bits.
template <> struct Product<float> {
  static constexpr Tile tile = tile_f32;
  static constexpr int K = tile.k, weight_pairs = tile.weight_pairs, input_pairs = tile.input_pairs;

  struct alignas(16) Four {
    float v[4];
  };
  struct Weights {
    Four unit[2];
  };
  struct Inputs {
    Four row[2];
  };
  static ELMAN_DEVICE int weight_at(int m, int k) { return m * 2 + k / 2; }
  static ELMAN_DEVICE int input_at(int k, int n) { return n * 2 + k / 2; }

  static ELMAN_DEVICE Pair<float> operand(Pair<float> p) { return p; }

  static ELMAN_DEVICE Weights weights(const Pair<float>* tile, int lane) {
    const Four* rows = reinterpret_cast<const Four*>(tile);
    return {rows[lane / 4], rows[lane / 4 + 8]};
  }
  static ELMAN_DEVICE Inputs inputs(const Pair<float>* tile, int lane) {
    const Four* columns = reinterpret_cast<const Four*>(tile);
    return {columns[lane % 4 * 2], columns[lane % 4 * 2 + 1]};
  }
  static ELMAN_DEVICE void add(Sums& sums, const Weights& w, const Inputs& x) {
    ELMAN_UNROLL
    for (int k = 0; k < K; ++k) {
      ELMAN_UNROLL
      for (int i = 0; i < 4; ++i) sums[i] = mul_add(w.unit[i / 2].v[k], x.row[i % 2].v[k], sums[i]);
    }
  }
};

// A thread's place in the layout.
struct Place {
  int lane, split, splits;
  int in_block;  // its warp's group of units, in the block
  int groups;    // of the block
  int unit;      // the first of the lane's two units
  int rank, team, direction;
  Layout layout;

  ELMAN_DEVICE explicit Place(const Layout& l) : layout(l) {
    const int warp = thread_index() / 32;
    lane = thread_index() % 32;
    groups = l.units / group;
    splits = l.splits;
    in_block = warp % groups;
    split = warp / groups;
    rank = block_index() % l.ranks;
    team = block_index() / l.ranks % l.teams;
    direction = block_index() / (l.ranks * l.teams);
    unit = first_unit(in_block) + lane / 4 * 2;
  }
  ELMAN_DEVICE int first_unit(int g) const { return rank * layout.units + g * group; }

  // Of the team's rows, the one in column i of its tiles, as a row of the plan; and how many of `alive` it
  // has.
  ELMAN_DEVICE int row(int i) const { return team + i * layout.teams; }
  ELMAN_DEVICE int count(int alive) const {
    return alive > team ? (alive - team + layout.teams - 1) / layout.teams : 0;
  }
  // A warp finishes one tile, that of its split's number (splits >= tiles): the column of the lane's row j, 0
  // or 1.
  ELMAN_DEVICE int column(int j) const { return split * tile_rows + lane % 4 * 2 + j; }
};

// Of the first tiles of k a lane keeps the weights in registers, all M gates of them, where they stay for all
// steps.
template <class T, int M, int N> struct Held {
  static constexpr int count = Product<T>::tile.held(M, N);
  typename Product<T>::Weights w[count ? count : 1][M];

  // Those of the warp's first tiles, from all `tiles` in shared memory.
  ELMAN_DEVICE void take(const Pair<T>* weights, int tiles, const Place& at) {
    using P = Product<T>;
    weights += at.in_block * tiles * M * P::weight_pairs;
    ELMAN_UNROLL
    for (int i = 0; i < count; ++i) {
      const int k = at.split + i * at.splits;
      ELMAN_UNROLL
      for (int m = 0; m < M; ++m)
        w[i][m] =
            k < tiles ? P::weights(weights + (k * M + m) * P::weight_pairs, at.lane) : typename P::Weights{};
    }
  }
};

// sums += the warp's share of the product over `tiles` tiles of k, the first with the weights in `held` if
// they are to be used; `live`: tiles of rows that have any. `Some` of the N tiles are computed: no branch on
// that in the loops, in which the next tiles are on their way while these are multiplied.
template <bool hold, class T, int M, int N, int Some = N>
ELMAN_DEVICE void multiply(Sums (&sums)[N][M], const Pair<T>* weights, const Held<T, M, N>& held,
                           const Pair<T>* inputs, int tiles, const Place& at, int live) {
  if constexpr (Some > 1)
    if (live <= Some / 2)
      return multiply<hold, T, M, N, Some / 2>(sums, weights, held, inputs, tiles, at, live);
  using P = Product<T>;
  using Weights = typename P::Weights;
  struct Inputs {
    typename P::Inputs n[Some];
  };
  weights += at.in_block * tiles * M * P::weight_pairs;
  const auto load_weights = [&](Weights(&w)[M], int k) {
    ELMAN_UNROLL
    for (int m = 0; m < M; ++m) w[m] = P::weights(weights + (k * M + m) * P::weight_pairs, at.lane);
  };
  const auto load_inputs = [&](int k) {
    Inputs x;
    ELMAN_UNROLL
    for (int n = 0; n < Some; ++n) x.n[n] = P::inputs(inputs + (k * N + n) * P::input_pairs, at.lane);
    return x;
  };
  const auto add = [&](const Weights(&w)[M], const Inputs& x) {
    ELMAN_UNROLL
    for (int n = 0; n < Some; ++n) {
      ELMAN_UNROLL
      for (int m = 0; m < M; ++m) P::add(sums[n][m], w[m], x.n[n]);
    }
  };
  const auto after = [&](int k) { return k + at.splits < tiles ? k + at.splits : k; };
  int k = at.split;
  if (k >= tiles) return;
  Inputs x = load_inputs(k);
  if constexpr (hold) {
    ELMAN_UNROLL
    for (int i = 0; i < Held<T, M, N>::count; ++i) {
      if (k >= tiles) return;
      const Inputs next = load_inputs(after(k));
      add(held.w[i], x);
      x = next;
      k += at.splits;
    }
    if (k >= tiles) return;
  }
  Weights w[M];
  load_weights(w, k);
  ELMAN_UNROLL_BY(2)
  for (; k < tiles; k += at.splits) {
    Weights next_w[M];
    const Inputs next = load_inputs(after(k));
    load_weights(next_w, after(k));
    add(w, x);
    x = next;
    ELMAN_UNROLL
    for (int m = 0; m < M; ++m) w[m] = next_w[m];
  }
}

// The sums of the tile that this warp finishes, if it is live: what the splits have of it, added up in their
// order.
template <int M, int N>
ELMAN_DEVICE void combine(const Sums (&sums)[N][M], Sums (&own)[M], float* partial, const Place& at,
                          int live) {
  struct alignas(16) Part {
    float v[4];
  };
  if (at.splits == 1) {  // then N is 1
    ELMAN_UNROLL
    for (int m = 0; m < M; ++m) ELMAN_UNROLL
    for (int i = 0; i < 4; ++i) own[m][i] = sums[0][m][i];
    return;
  }
  Part* parts = reinterpret_cast<Part*>(partial);
  const auto place = [&](int split, int n, int m) {
    return ((split * at.groups + at.in_block) * N * M + n * M + m) * 32 + at.lane;
  };
  ELMAN_UNROLL
  for (int n = 0; n < N; ++n) {
    if (n >= live) break;
    ELMAN_UNROLL
    for (int m = 0; m < M; ++m)
      parts[place(at.split, n, m)] = {{sums[n][m][0], sums[n][m][1], sums[n][m][2], sums[n][m][3]}};
  }
  block_sync();
  if (at.split >= live) return;
  ELMAN_UNROLL
  for (int m = 0; m < M; ++m) {
    ELMAN_UNROLL
    for (int i = 0; i < 4; ++i) own[m][i] = 0;
  }
  ELMAN_NO_UNROLL
  for (int split = 0; split < at.splits; ++split) {
    ELMAN_UNROLL
    for (int m = 0; m < M; ++m) {
      const Part part = parts[place(split, at.split, m)];
      ELMAN_UNROLL
      for (int i = 0; i < 4; ++i) own[m][i] += part.v[i];
    }
  }
}

// Bytes of shared memory: weights, `inboxes` of inputs, and the partial sums.
template <class T, int M, int N> struct Memory {
  using P = Product<T>;
  std::size_t weights, inbox, partial;

  ELMAN_HOST_DEVICE Memory(const Layout& l)
      : weights(std::size_t(l.units / group) * l.chunk * M * P::weight_pairs * sizeof(Pair<T>)),
        inbox(std::size_t(l.chunk) * N * P::input_pairs * sizeof(Pair<T>)),
        partial(l.splits == 1 ? 0 : std::size_t(l.splits) * (l.units / group) * N * M * 32 * sizeof(Sums)) {}
  ELMAN_HOST_DEVICE std::size_t total(int inboxes) const { return weights + inboxes * inbox + partial; }
};

}  // namespace elman::cuda
