// A step's recurrent product, gathered: each block passes the values that it computed on to all blocks of its
// team, and each multiplies all values by the weights of its own units. Forward passes on h. Backward passes
// on the slots' gradients in this way where each step is a launch.
#pragma once

#include "staging.h"

namespace elman::cuda {

// M tiles of weights for a group, N tiles of segments. weight(whole, group, m, row of the tile, k) and
// input(column, k) give pairs along k, zeros where there is nothing; k is even. along_k: see stage.
template <class T, int M, int N, Exchange exchange, bool along_k> class Gather {
 public:
  using P = Product<T>;
  static constexpr int words_of_tile = P::input_pairs * sizeof(Pair<T>) / 4;
  static constexpr int hold = P::tile.held(M, N);
  static constexpr int inboxes = exchange == Exchange::shared ? 2 : 1;

  ELMAN_DEVICE Gather(const Place& at, const Terms& over, uint64_t* words)
      : at_(at), over_(over), H_(over.H), tiles_(over.slots * padded(over.H) / P::K) {
    constexpr Tile tile = P::tile;  // device code has no address of the other
    const Space space = gather_space(tile, at.layout, M, N);
    char* bytes = shared_memory();
    weights_ = reinterpret_cast<Pair<T>*>(bytes);
    inbox_[0] = reinterpret_cast<Pair<T>*>(bytes + space.weights);
    inbox_[1] = reinterpret_cast<Pair<T>*>(bytes + space.weights + (inboxes - 1) * space.inbox);
    partial_ = reinterpret_cast<float*>(bytes + space.weights + inboxes * space.inbox);
    arrivals_ = reinterpret_cast<uint64_t*>(bytes + space.weights + inboxes * space.inbox + space.partial);
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) place_[j] = inbox_at<T, N>(at.column(j), at.unit);
    words_ = words + (at.direction * at.layout.teams + at.team) * 2 * tiles_ * N * words_of_tile;
  }

  // The first unit whose sums a tile of weights gives, and what input k of those sums is.
  ELMAN_DEVICE int output(int g, int) const { return at_.first_unit(g); }
  ELMAN_DEVICE Source source(int k) const { return {k / padded(H_), k % padded(H_)}; }

  // Before the first step. `input` gives what its product reads.
  template <class WeightAt, class InputAt>
  ELMAN_DEVICE void begin(const WeightAt& weight, const InputAt& input) {
    if constexpr (exchange == Exchange::shared) {
      stage<T, M, along_k>(weights_, at_.groups, weight, 0, tiles_, over_.paired);
      block_sync();
      held_.take(weights_, tiles_, at_.share());
      if (at_.layout.ranks > 1) init_arrivals(arrivals_);
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
      const int staged = at_.layout.staged;
      for (int first = 0; first < tiles_; first += staged) {
        const int count = first + staged < tiles_ ? staged : tiles_ - first;
        if (first) block_sync();  // all have read what was staged before
        if (!all_staged() || !step_)
          stage<T, M, along_k>(weights_, at_.groups, weight, first, count, over_.paired);
        if (exchange == Exchange::global && step_) collect();
        else fill<T, N>(inbox_[0], input, first, count);
        block_sync();
        if (all_staged() && !step_) held_.take(weights_, tiles_, at_.share());
        if (all_staged()) multiply<hold, T, M, N>(sums, weights_, held_, inbox_[0], count, at_.share(), live);
        else multiply<0, T, M, N>(sums, weights_, {}, inbox_[0], count, at_.share(), live);
      }
    }
    combine(sums, own, partial_, at_, live);
    // Where blocks do not meet, the values that a warp passes on also say that it has read its inbox.
    warp_sync();
  }

  // To all blocks of the team, for the next product: two units' values of the lane's columns that take part
  // in it.
  ELMAN_DEVICE void pass_on(const bool (&there)[2], int slot, const Pair<T> (&values)[2]) {
    const int skip = slot * padded(H_) / P::K * N * P::input_pairs, ranks = at_.layout.ranks;
    const Pair<T> operands[2] = {P::operand(values[0]), P::operand(values[1])};
    if constexpr (exchange == Exchange::global) {
      ELMAN_UNROLL
      for (int j = 0; j < 2; ++j)
        if (there[j])
          post(words_of(step_ + 1) + (place_[j] + skip) * int{sizeof(Pair<T>) / 4}, operands[j], step_ + 1);
    } else if constexpr (exchange == Exchange::shared) {
      Pair<T>* to = inbox(step_ + 1) + skip;
      if (ranks == 1) {
        ELMAN_UNROLL
        for (int j = 0; j < 2; ++j)
          if (there[j]) to[place_[j]] = operands[j];
      } else {
        uint64_t* arrivals = arrivals_ + (step_ + 1) % 2;
        int peer = at_.rank;  // each block begins with another
        ELMAN_UNROLL_BY(4)
        for (int i = 0; i < ranks; ++i) {
          if (++peer >= ranks) peer = 0;
          ELMAN_UNROLL
          for (int j = 0; j < 2; ++j)
            if (there[j]) push_to_peer(to + place_[j], peer, operands[j], arrivals);
        }
      }
    }
  }

  // Between two steps. `columns` take part in the next product.
  ELMAN_DEVICE void next(int columns) {
    if constexpr (exchange == Exchange::global) {
      if (at_.split < N && at_.unit >= H_ && !at_.empty) {  // the units beyond H, which nobody computes
        const bool there[2] = {at_.column(0) < columns, at_.column(1) < columns};
        for (int slot = 0; slot < over_.slots; ++slot) pass_on(there, slot, {Pair<T>{}, Pair<T>{}});
      }
    }
    ++step_;
    if constexpr (exchange == Exchange::shared) {
      if (at_.layout.ranks == 1) {
        block_sync();
      } else {
        // Warps go on when all values have arrived. None of the step after that can arrive too early: the
        // others wait for this block's values, and it passes them on when it has read the other inbox.
        const int bytes = columns * over_.slots * ((H_ + 1) / 2 * 2) * int{sizeof(T)};
        if (thread_index() == 0) expect_arrivals(arrivals_ + step_ % 2, bytes);
        wait_for_arrivals(arrivals_ + step_ % 2, (step_ - 1) / 2 % 2);
      }
    } else if constexpr (exchange == Exchange::global) {
      columns_ = columns;
      block_sync();  // all have read the inbox
    }
  }

 private:
  // Indexed at run time, an array would be kept in slow space.
  ELMAN_DEVICE Pair<T>* inbox(int step) const { return step % 2 ? inbox_[1] : inbox_[0]; }

  // Place for two steps is enough. A block posts the words of a step when it has all of the step before, and
  // the others posted those when they had read all before that.
  ELMAN_DEVICE uint64_t* words_of(int step) const { return words_ + step % 2 * tiles_ * N * words_of_tile; }

  ELMAN_DEVICE bool all_staged() const { return at_.layout.staged >= tiles_; }

  // Brings the words of this step into the inbox. A thread waits for two at a time and reads some ahead.
  ELMAN_DEVICE void collect() {
    constexpr int of_tile = words_of_tile / 2, of_column = of_tile / tile_segments, ahead = 4;
    const uint64_t* from = words_of(step_);
    Bytes* to = reinterpret_cast<Bytes*>(inbox_[0]);
    const int all = tiles_ * N * of_tile, by = threads();
    const auto wanted = [&](int j) {
      return j < all && j / of_tile % N * tile_segments + j % of_tile / of_column < columns_;
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
  const Terms over_;
  const int H_, tiles_;
  Held<T, M, hold> held_;
  Pair<T>*weights_, *inbox_[2];
  float* partial_;
  uint64_t* arrivals_;  // for each inbox
  uint64_t* words_;     // of the team
  int step_ = 0, columns_ = 0;
  int place_[2];  // of the lane's values of the first slot in an inbox
};

}  // namespace elman::cuda
