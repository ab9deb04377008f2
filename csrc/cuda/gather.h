// A step's recurrent product of all that the team's blocks computed in the step before: each passes its
// values on to all, who multiply them with the weights of their own units. Forward passes h on so; backward,
// where each step is a launch, the gradients of the slots.
#pragma once

#include "staging.h"

namespace elman::cuda {

// M tiles of weights for a group of units, N tiles of rows. The sources give pairs along k, zeros where there
// is nothing: weight(group, m, row of the tile, k) and input(column, k), k even.
template <class T, int M, int N, Exchange exchange> class Gather {
 public:
  using P = Product<T>;
  static constexpr int words_of_tile = P::input_pairs * sizeof(Pair<T>) / 4;
  static constexpr int hold = P::tile.held(M, N);
  static constexpr int inboxes = exchange == Exchange::shared ? 2 : 1;

  // The sum runs over `feeds` times H inputs.
  ELMAN_DEVICE Gather(const Place& at, int feeds, int H, uint64_t* words)
      : at_(at), feeds_(feeds), H_(H), tiles_(feeds * padded(H) / P::K) {
    constexpr Tile tile = P::tile;  // device code has no address of the other
    const Memory memory = gather_memory(tile, at.layout, M, N);
    char* bytes = shared_memory();
    weights_ = reinterpret_cast<Pair<T>*>(bytes);
    inbox_[0] = reinterpret_cast<Pair<T>*>(bytes + memory.weights);
    inbox_[1] = reinterpret_cast<Pair<T>*>(bytes + memory.weights + (inboxes - 1) * memory.inbox);
    partial_ = reinterpret_cast<float*>(bytes + memory.weights + inboxes * memory.inbox);
    arrivals_ = reinterpret_cast<uint64_t*>(bytes + memory.weights + inboxes * memory.inbox + memory.partial);
    words_ = words + (at.direction * at.layout.teams + at.team) * 2 * tiles_ * N * words_of_tile;
  }

  // The first unit whose sums a tile of weights gives, and what input k of those sums is.
  ELMAN_DEVICE int output(int g, int) const { return at_.first_unit(g); }
  ELMAN_DEVICE Source source(int k) const { return {k / padded(H_), k % padded(H_)}; }

  // Before the first step. `input` gives what its product reads.
  template <class WeightAt, class InputAt>
  ELMAN_DEVICE void begin(const WeightAt& weight, const InputAt& input) {
    if (whole()) {
      stage<T, M>(weights_, at_.groups, weight, 0, tiles_);
      block_sync();
      held_.take(weights_, tiles_, at_.share());
    }
    if constexpr (exchange == Exchange::shared) {
      if (at_.layout.pushed) init_arrivals(arrivals_);
      fill<T, N>(inbox_[0], input, 0, tiles_);
      fill<T, N>(inbox_[1], [](int, int) { return Pair<T>{}; }, 0, tiles_);
      meet(at_.layout.ranks);
    }
  }

  // The sums of this step, `columns` of them: each warp gets those of the tile that it finishes.
  template <class WeightAt, class InputAt>
  ELMAN_DEVICE void take(Sums (&own)[M], const WeightAt& weight, const InputAt& input, int columns) {
    const int live = tiles_of(columns);
    Sums sums[N][M] = {};
    if constexpr (exchange == Exchange::shared) {
      if (!at_.empty) multiply<hold, T, M, N>(sums, weights_, held_, inbox(step_), tiles_, at_.share(), live);
    } else {
      const int chunk = at_.layout.chunk;
      for (int first = 0; first < tiles_; first += chunk) {
        const int count = first + chunk < tiles_ ? chunk : tiles_ - first;
        if (first) block_sync();  // all have read the chunk before
        if (!whole()) stage<T, M>(weights_, at_.groups, weight, first, count);
        if (exchange == Exchange::global && step_) collect();
        else fill<T, N>(inbox_[0], input, first, count);
        block_sync();
        if (whole()) multiply<hold, T, M, N>(sums, weights_, held_, inbox_[0], count, at_.share(), live);
        else multiply<0, T, M, N>(sums, weights_, {}, inbox_[0], count, at_.share(), live);
      }
    }
    combine(sums, own, partial_, at_, live);
    // Where nobody meets before the next product, what a warp passes on says that it has read all it had to.
    warp_sync();
  }

  // To all blocks of the team, for the next product: values of two units of a column that takes part in it.
  ELMAN_DEVICE void pass_on(int column, int feed, int unit, Pair<T> value) {
    const int k = feed * padded(H_) + unit;
    value = P::operand(value);
    const int place = inbox_at<T, N>(column, k);
    if constexpr (exchange == Exchange::global) {
      post(words_of(step_ + 1) + place * int{sizeof(Pair<T>) / 4}, value, step_ + 1);
    } else if constexpr (exchange == Exchange::shared) {
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
            pass_on(at_.column(j), feed, at_.unit, Pair<T>{});
    }
    ++step_;
    if constexpr (exchange == Exchange::shared) {
      if (!at_.layout.pushed) {
        meet(at_.layout.ranks);
      } else {
        // Its warps see the next step as the values arrive. None can arrive for the step after that before
        // all blocks have this block's own, which it passes on when it has read what is in the other inbox.
        const int bytes = columns * feeds_ * ((H_ + 1) / 2 * 2) * int{sizeof(T)};
        if (thread_index() == 0) expect_arrivals(arrivals_ + step_ % 2, bytes);
        wait_for_arrivals(arrivals_ + step_ % 2, (step_ - 1) / 2 % 2);
      }
    } else if constexpr (exchange == Exchange::global) {
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
  Held<T, M, hold> held_;
  Pair<T>*weights_, *inbox_[2];
  float* partial_;
  uint64_t* arrivals_;  // for each inbox
  uint64_t* words_;     // of the team
  int step_ = 0, columns_ = 0;
};

}  // namespace elman::cuda
