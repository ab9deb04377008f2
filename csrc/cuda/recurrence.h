// What the forward and the backward scan share: a product with the recurrent weights at every step, of inputs
// that the blocks of a team computed in the step before and pass on to each other.
#pragma once

#include "multiply.h"

namespace elman::cuda {

// The two ways to pass on. In shared memory: weights stay there for all steps, and every block stores what it
// computed into the inboxes of its team, a cluster of blocks or itself alone. In global memory: a block reads
// what the others left in the results, after they have met at a counter or after the launch that wrote them.
enum class Exchange { shared, global };

ELMAN_DEVICE int alive_at(const PlanView& plan, int t) { return t < plan.steps ? plan.alive[t] : 0; }

// M tiles of weights for a group of units, N tiles of rows. The sources give pairs along k, zeros where there
// is nothing: weight(group, m, row of the tile, k) and input(column, k), k even.
template <class T, int M, int N, Exchange exchange> class Recurrence {
 public:
  using P = Product<T>;
  static constexpr int inboxes = exchange == Exchange::shared ? 2 : 1;

  // `tiles`: of k in all.
  ELMAN_DEVICE Recurrence(const Place& at, int tiles, unsigned* counters) : at_(at), tiles_(tiles) {
    const Memory<T, M, N> memory(at.layout);
    char* bytes = shared_memory();
    weights_ = reinterpret_cast<Pair<T>*>(bytes);
    inbox_[0] = reinterpret_cast<Pair<T>*>(bytes + memory.weights);
    inbox_[1] = reinterpret_cast<Pair<T>*>(bytes + memory.weights + (inboxes - 1) * memory.inbox);
    partial_ = reinterpret_cast<float*>(bytes + memory.weights + inboxes * memory.inbox);
    counter_ = counters + at.direction * at.layout.teams + at.team;
  }

  // Before the first step. `input` gives what its product reads.
  template <class WeightAt, class InputAt>
  ELMAN_DEVICE void begin(const WeightAt& weight, const InputAt& input) {
    if (whole()) {
      stage(weight, 0, tiles_);
      block_sync();
      held_.take(weights_, tiles_, at_);
    }
    if constexpr (exchange == Exchange::shared) {
      fill(inbox_[0], input, 0, tiles_);
      fill(inbox_[1], [](int, int) { return Pair<T>{}; }, 0, tiles_);
      meet();
    }
  }

  // The team's product of this step: each warp gets the sums of the tile that it finishes. `live`: tiles of
  // rows that have any.
  template <class WeightAt, class InputAt>
  ELMAN_DEVICE void product(Sums (&own)[M], const WeightAt& weight, const InputAt& input, int live) {
    Sums sums[N][M] = {};
    if constexpr (exchange == Exchange::shared) {
      multiply<true, T, M, N>(sums, weights_, held_, inbox(now_), tiles_, at_, live);
    } else {
      const int chunk = at_.layout.chunk;
      for (int first = 0; first < tiles_; first += chunk) {
        const int count = first + chunk < tiles_ ? chunk : tiles_ - first;
        if (first) block_sync();  // all have read the chunk before
        if (!whole()) stage(weight, first, count);
        fill(inbox_[0], input, first, count);
        block_sync();
        if (whole()) multiply<true, T, M, N>(sums, weights_, held_, inbox_[0], count, at_, live);
        else multiply<false, T, M, N>(sums, weights_, held_, inbox_[0], count, at_, live);
      }
    }
    combine(sums, own, partial_, at_, live);
  }

  // To all blocks of the team, for the next product: values k and k + 1 of a column.
  ELMAN_DEVICE void pass_on(int column, int k, Pair<T> value) {
    if constexpr (exchange == Exchange::shared) {
      value = P::operand(value);
      Pair<T>* to = inbox(1 - now_) + (k / P::K * N + column / tile_rows) * P::input_pairs +
                    P::input_at(k % P::K, column % tile_rows);
      const int ranks = at_.layout.ranks;
      if (ranks == 1) *to = value;
      else
        for (int i = 1; i <= ranks; ++i) store_at_peer(to, (at_.rank + i) % ranks, value);
    }
  }

  // Between two steps.
  ELMAN_DEVICE void next() {
    if constexpr (exchange == Exchange::shared) {
      meet();
      now_ = 1 - now_;
    } else {
      met_ += at_.layout.ranks;
      team_sync(counter_, met_);
    }
  }

 private:
  // No array: a run-time index would put it into memory.
  ELMAN_DEVICE Pair<T>* inbox(int which) const { return which ? inbox_[1] : inbox_[0]; }

  ELMAN_DEVICE bool whole() const { return at_.layout.chunk >= tiles_; }

  ELMAN_DEVICE void meet() {
    if (at_.layout.ranks == 1) block_sync();
    else cluster_sync();
  }

  template <class WeightAt> ELMAN_DEVICE void stage(const WeightAt& weight, int first, int count) {
    constexpr int pairs = P::K / 2;
    const int across = count * pairs, all = at_.groups * M * group * across;
    ELMAN_NO_UNROLL
    for (int j = thread_index(); j < all; j += threads()) {
      const int k = j % across, row = j / across % group, m = j / across / group % M;
      const int g = j / across / group / M, tile = k / pairs, inside = k % pairs * 2;
      weights_[((g * count + tile) * M + m) * P::weight_pairs + P::weight_at(row, inside)] =
          P::operand(weight(g, m, row, (first + tile) * P::K + inside));
    }
  }

  template <class InputAt>
  ELMAN_DEVICE void fill(Pair<T>* inbox, const InputAt& input, int first, int count) {
    constexpr int pairs = P::K / 2;
    const int across = count * pairs, all = N * tile_rows * across;
    ELMAN_NO_UNROLL
    for (int j = thread_index(); j < all; j += threads()) {
      const int k = j % across, column = j / across, tile = k / pairs, inside = k % pairs * 2;
      inbox[(tile * N + column / tile_rows) * P::input_pairs + P::input_at(inside, column % tile_rows)] =
          P::operand(input(column, (first + tile) * P::K + inside));
    }
  }

  const Place& at_;
  const int tiles_;
  Held<T, M, N> held_;
  Pair<T>*weights_, *inbox_[2];
  float* partial_;
  unsigned *counter_, met_ = 0;
  int now_ = 0;
};

// Units rounded up to whole groups, in which the sums over k count them.
ELMAN_HOST_DEVICE int padded(int H) { return (H + group - 1) / group * group; }

}  // namespace elman::cuda
