// What the forward and the backward scan share: a product with the recurrent weights at every step, of inputs
// that the blocks of a team computed in the step before and pass on to each other.
#pragma once

#include "multiply.h"

namespace elman::cuda {

// The two ways to pass on. In shared memory: every block stores what it computed into the inboxes of its
// team, a cluster of blocks or itself alone. In global memory: every block stores it once, in words that hold
// four bytes and the step's number, and all of the team read until each word is of the step they wait for.
// (With one launch for each step nothing is passed on: the next one reads results.)
enum class Exchange { shared, global };

// Units rounded up to whole groups, in which the sums over k count them.
ELMAN_HOST_DEVICE int padded(int H) { return (H + group - 1) / group * group; }

ELMAN_DEVICE int alive_at(const PlanView& plan, int t) { return t < plan.steps ? plan.alive[t] : 0; }

// M tiles of weights for a group of units, N tiles of rows. The sources give pairs along k, zeros where there
// is nothing: weight(group, m, row of the tile, k) and input(column, k), k even.
template <class T, int M, int N, Exchange exchange> class Recurrence {
 public:
  using P = Product<T>;
  static constexpr int words_of_tile = Memory<T, M, N>::words_of_tile;
  static constexpr int inboxes = exchange == Exchange::shared ? 2 : 1;

  // The sum runs over `feeds` times H inputs.
  ELMAN_DEVICE Recurrence(const Place& at, int feeds, int H, uint64_t* words)
      : at_(at), feeds_(feeds), H_(H), tiles_(feeds * padded(H) / P::K) {
    const Memory<T, M, N> memory(at.layout);
    char* bytes = shared_memory();
    weights_ = reinterpret_cast<Pair<T>*>(bytes);
    inbox_[0] = reinterpret_cast<Pair<T>*>(bytes + memory.weights);
    inbox_[1] = reinterpret_cast<Pair<T>*>(bytes + memory.weights + (inboxes - 1) * memory.inbox);
    partial_ = reinterpret_cast<float*>(bytes + memory.weights + inboxes * memory.inbox);
    arrivals_ = reinterpret_cast<uint64_t*>(bytes + memory.weights + inboxes * memory.inbox + memory.partial);
    words_ = words + (at.direction * at.layout.teams + at.team) * memory.words;
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
      if (at_.layout.pushed) init_arrivals(arrivals_);
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
      if (!at_.empty) multiply<true, T, M, N>(sums, weights_, held_, inbox(step_), tiles_, at_, live);
    } else {
      const int chunk = at_.layout.chunk;
      for (int first = 0; first < tiles_; first += chunk) {
        const int count = first + chunk < tiles_ ? chunk : tiles_ - first;
        if (first) block_sync();  // all have read the chunk before
        if (!whole()) stage(weight, first, count);
        if (step_) collect();
        else fill(inbox_[0], input, first, count);
        block_sync();
        if (whole()) multiply<true, T, M, N>(sums, weights_, held_, inbox_[0], count, at_, live);
        else multiply<false, T, M, N>(sums, weights_, held_, inbox_[0], count, at_, live);
      }
    }
    combine(sums, own, partial_, at_, live);
    // Where nobody meets before the next product, what a warp passes on says that it has read all it had to.
    warp_sync();
  }

  // To all blocks of the team, for the next product: values k and k + 1 of a column that takes part in it.
  ELMAN_DEVICE void pass_on(int column, int k, Pair<T> value) {
    value = P::operand(value);
    const int place =
        (k / P::K * N + column / tile_rows) * P::input_pairs + P::input_at(k % P::K, column % tile_rows);
    if constexpr (exchange == Exchange::global) {
      post(words_of(step_ + 1) + place * int{sizeof(Pair<T>) / 4}, value, step_ + 1);
    } else {
      Pair<T>* to = inbox(step_ + 1) + place;
      const int ranks = at_.layout.ranks;
      if (ranks == 1) *to = value;
      else
        for (int i = 1; i <= ranks; ++i) {
          const int peer = (at_.rank + i) % ranks;
          if (at_.layout.pushed) push_to_peer(to, peer, value, arrivals_ + (step_ + 1) % 2);
          else store_at_peer(to, peer, value);
        }
    }
  }

  // Between two steps; `columns`: that take part in the next product.
  ELMAN_DEVICE void next(int columns) {
    if constexpr (exchange == Exchange::global) {
      if (at_.split < N && at_.unit >= H_ && !at_.empty)  // what no unit passes on
        for (int j = 0; j < 2; ++j)
          for (int feed = 0; feed < feeds_ && at_.column(j) < columns; ++feed)
            pass_on(at_.column(j), feed * padded(H_) + at_.unit, Pair<T>{});
    }
    ++step_;
    if constexpr (exchange == Exchange::shared) {
      if (!at_.layout.pushed) {
        meet();
      } else {
        // Its warps see the next step as the values arrive. None can arrive for the step after that before
        // all blocks have this block's own, which it passes on when it has read what is in the other inbox.
        const int bytes = columns * feeds_ * ((H_ + 1) / 2 * 2) * int{sizeof(T)};
        if (thread_index() == 0) expect_arrivals(arrivals_ + step_ % 2, bytes);
        wait_for_arrivals(arrivals_ + step_ % 2, (step_ - 1) / 2 % 2);
      }
    } else {
      columns_ = columns;
      block_sync();  // all have read the inbox
    }
  }

 private:
  // No array: a run-time index would put it into memory.
  ELMAN_DEVICE Pair<T>* inbox(int step) const { return step % 2 ? inbox_[1] : inbox_[0]; }

  // Two steps' are enough: a block posts those of a step when it has all of the step before, whose blocks had
  // read all before that.
  ELMAN_DEVICE uint64_t* words_of(int step) const { return words_ + step % 2 * tiles_ * N * words_of_tile; }

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

  // The words of this step into the inbox, as they come. A thread waits for two at a time, of which it reads
  // some ahead.
  ELMAN_DEVICE void collect() {
    constexpr int of_tile = words_of_tile / 2, of_column = of_tile / tile_rows, ahead = 4;
    const uint64_t* from = words_of(step_);
    Bytes* to = reinterpret_cast<Bytes*>(inbox_[0]);
    const int all = tiles_ * N * of_tile, by = threads();
    const auto wanted = [&](int j) {
      return j < all && j / of_tile % N * tile_rows + j % of_tile / of_column < columns_;
    };
    ELMAN_NO_UNROLL
    for (int j = thread_index(); j < all; j += by * ahead) {
      Words found[ahead];
      ELMAN_UNROLL
      for (int i = 0; i < ahead; ++i)
        if (wanted(j + i * by)) found[i] = look(from + 2 * (j + i * by));
      ELMAN_UNROLL
      for (int i = 0; i < ahead; ++i)
        if (wanted(j + i * by)) to[j + i * by] = await(from + 2 * (j + i * by), found[i], step_);
    }
  }

  const Place& at_;
  const int feeds_, H_, tiles_;
  Held<T, M, N> held_;
  Pair<T>*weights_, *inbox_[2];
  float* partial_;
  uint64_t* arrivals_;  // for each inbox
  uint64_t* words_;     // of the team
  int step_ = 0, columns_ = 0;
};

}  // namespace elman::cuda
