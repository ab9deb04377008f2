// A block's product: its warps' shares of the sums, added up.
#pragma once

#include "product.h"

namespace elman::cuda {

// Units rounded up to whole groups. Sums over k run over so many.
ELMAN_HOST_DEVICE int padded(int H) { return (H + group - 1) / group * group; }

// A warp's part of a block's product: the tile of weights `index`, and every `splits`th tile of k.
struct Share {
  int lane, index, split, splits;
};

// A thread's place in the layout.
struct Place {
  int lane, split, splits;
  int in_block;  // its warp's group, counted in the block
  int groups;    // of the block
  int unit;      // the first of the lane's two units
  int rank, team, direction;
  bool empty;  // whether its warp's units all lie beyond H
  Layout layout;

  ELMAN_DEVICE Place(const Layout& l, int H) : layout(l) {
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
    empty = first_unit(in_block) >= H;
  }
  ELMAN_DEVICE Share share() const { return {lane, in_block, split, splits}; }
  ELMAN_DEVICE int first_unit(int g) const { return rank * layout.units + g * group; }

  // The team's segment in a column, and how many of the first `alive` segments are the team's.
  ELMAN_DEVICE int segment(int column) const { return team + column * layout.teams; }
  ELMAN_DEVICE int count(int alive) const {
    return alive > team ? (alive - team + layout.teams - 1) / layout.teams : 0;
  }
  // A warp finishes the tile of its split's number (splits >= tiles). In it the lane has two segments, j = 0
  // and 1.
  ELMAN_DEVICE int column(int j) const { return split * tile_segments + lane % 4 * 2 + j; }
};

// The weights of M gates that a lane holds: of the warp's first tiles of k.
template <class T, int M, int count> struct Held {
  typename Product<T>::Weights w[count ? count : 1][M];

  // From all `tiles`, staged.
  ELMAN_DEVICE void take(const Pair<T>* weights, int tiles, const Share& at) {
    using P = Product<T>;
    weights += at.index * tiles * M * P::weight_pairs;
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

// sums += the warp's share of the product over `tiles` tiles of k, the first `hold` with the weights in
// `held`, for the first `some` of the N tiles of segments. The next tiles are loaded while these are
// multiplied.
template <int hold, class T, int M, int N, int some>
ELMAN_DEVICE void multiply_some(Sums (&sums)[N][M], const Pair<T>* weights, const Held<T, M, hold>& held,
                                const Pair<T>* inputs, int tiles, const Share& at) {
  using P = Product<T>;
  using Weights = typename P::Weights;
  struct Inputs {
    typename P::Inputs n[some];
  };
  weights += at.index * tiles * M * P::weight_pairs;
  const auto load_weights = [&](Weights(&w)[M], int k) {
    ELMAN_UNROLL
    for (int m = 0; m < M; ++m) w[m] = P::weights(weights + (k * M + m) * P::weight_pairs, at.lane);
  };
  const auto load_inputs = [&](int k) {
    Inputs x;
    ELMAN_UNROLL
    for (int n = 0; n < some; ++n) x.n[n] = P::inputs(inputs + (k * N + n) * P::input_pairs, at.lane);
    return x;
  };
  const auto add = [&](const Weights(&w)[M], const Inputs& x) {
    ELMAN_UNROLL
    for (int n = 0; n < some; ++n) {
      ELMAN_UNROLL
      for (int m = 0; m < M; ++m) P::add(sums[n][m], w[m], x.n[n]);
    }
  };
  const auto after = [&](int k) { return k + at.splits < tiles ? k + at.splits : k; };
  int k = at.split;
  if (k >= tiles) return;
  Inputs x = load_inputs(k);
  if constexpr (hold > 0) {
    ELMAN_UNROLL
    for (int i = 0; i < hold; ++i) {
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

// The same for the `live` tiles that have segments, or a few more: no branch on that in the loops.
template <int hold, class T, int M, int N, int some = N>
ELMAN_DEVICE void multiply(Sums (&sums)[N][M], const Pair<T>* weights, const Held<T, M, hold>& held,
                           const Pair<T>* inputs, int tiles, const Share& at, int live) {
  if constexpr (some > 1)
    if (live <= some / 2)
      return multiply<hold, T, M, N, some / 2>(sums, weights, held, inputs, tiles, at, live);
  multiply_some<hold, T, M, N, some>(sums, weights, held, inputs, tiles, at);
}

// The sums of the tile that this warp finishes, if it is live: the splits' parts, added up in their order.
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
  if (at.split >= live || at.empty) return;
  ELMAN_UNROLL
  for (int m = 0; m < M; ++m) {
    ELMAN_UNROLL
    for (int i = 0; i < 4; ++i) own[m][i] = 0;
  }
  const Part* part = parts + place(0, at.split, 0);
  const int by = at.groups * N * M * 32;
  ELMAN_NO_UNROLL
  for (int split = 0; split < at.splits; split += 2) {  // 2, 4, 8 ... of them
    Part found[2][M];
    ELMAN_UNROLL
    for (int s = 0; s < 2; ++s) ELMAN_UNROLL
    for (int m = 0; m < M; ++m) found[s][m] = part[s * by + m * 32];
    ELMAN_UNROLL
    for (int s = 0; s < 2; ++s) ELMAN_UNROLL
    for (int m = 0; m < M; ++m) ELMAN_UNROLL
    for (int i = 0; i < 4; ++i) own[m][i] += found[s][m].v[i];
    part += 2 * by;
  }
}

}  // namespace elman::cuda
