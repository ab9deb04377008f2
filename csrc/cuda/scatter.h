// A step's recurrent product, scattered: each block multiplies the values of its own units by all weights
// that lead from them, and passes each sum on to the block whose unit it is for. That block adds up the sums
// that it gets from all. Backward does so. For an LSTM it then passes on one float for each unit and segment,
// not four gates to all blocks, and only its own gates are staged.
#pragma once

#include "staging.h"

namespace elman::cuda {

template <class T, int N, Exchange exchange> class Scatter {
 public:
  using P = Product<T>;
  static constexpr int M = P::tile.set, hold = P::tile.held_of_sets(N);

  ELMAN_DEVICE Scatter(const Place& at, const Terms& over, uint64_t* words)
      : at_(at),
        outputs_(padded(over.H)),
        tiles_(over.slots * at.layout.units / P::K),
        sets_(at.layout, over.H, M) {
    constexpr Tile tile = P::tile;  // device code has no address of the other
    const Space space = scatter_space(tile, at.layout, over.slots, over.H, N);
    char* bytes = shared_memory();
    weights_ = reinterpret_cast<Pair<T>*>(bytes);
    inbox_ = reinterpret_cast<Pair<T>*>(bytes += space.weights);
    partial_ = reinterpret_cast<float*>(bytes += space.inbox);
    sums_ = reinterpret_cast<Part*>(bytes += space.partial);
    arrivals_ = reinterpret_cast<uint64_t*>(bytes + (exchange == Exchange::shared ? 2 * space.arriving : 0));
    words_ = words + (at.direction * at.layout.teams + at.team) * at.layout.ranks * 2 * words_of_block();
    const int warp = at.in_block + at.split * at.groups;
    share_ = {at.lane, warp % (sets_.splits > 1 ? sets_.count : at.groups * at.splits),
              sets_.splits > 1 ? warp / sets_.count : 0, sets_.splits};
    receiver_ = receiver_of(share_.index * M);
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) place_[j] = inbox_at<T, N>(at.column(j), at.unit - at.first_unit(0));
  }

  // The first unit whose sums a tile of weights gives, and what input k of those sums is.
  ELMAN_DEVICE int output(int set, int m) const { return (set * M + m) * group; }
  ELMAN_DEVICE Source source(int k) const {
    return {k / at_.layout.units, at_.first_unit(0) + k % at_.layout.units};
  }

  // Before the first step, to which nothing has been passed on.
  template <class WeightAt, class InputAt> ELMAN_DEVICE void begin(const WeightAt& weight, const InputAt&) {
    stage<T, M, false>(weights_, sets_.count, weight, 0, tiles_, false);
    fill<T, N>(inbox_, [](int, int) { return Pair<T>{}; }, 0, tiles_);
    if (exchange == Exchange::shared && at_.layout.ranks > 1) init_arrivals(arrivals_);
    if constexpr (exchange == Exchange::shared) meet(at_.layout.ranks);
    else block_sync();
    if (share_.index < sets_.count) held_.take(weights_, tiles_, share_);
  }

  // The sums of this step, `columns` of them: each warp gets those of the tile that it finishes.
  template <class WeightAt, class InputAt>
  ELMAN_DEVICE void take(Sums (&own)[1], const WeightAt&, const InputAt&, int columns) {
    Sums sums[N][1] = {};
    ELMAN_UNROLL
    for (int n = 0; n < N; ++n)
      if (has(n, columns) && !at_.empty) add_up(sums[n][0], n);
    combine(sums, own, partial_, at_, tiles_of(columns));
  }

  // To this block's next product: two units' values of the lane's columns that take part in it.
  ELMAN_DEVICE void pass_on(const bool (&there)[2], int slot, const Pair<T> (&values)[2]) {
    const int skip = slot * at_.layout.units / P::K * N * P::input_pairs;
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j)
      if (there[j]) inbox_[place_[j] + skip] = P::operand(values[j]);
  }

  // Between two steps. `columns` take part in the next product, which is made here.
  ELMAN_DEVICE void next(int columns) {
    ++step_;
    block_sync();
    if (share_.split < share_.splits) {
      ELMAN_NO_UNROLL
      for (int set = share_.index; set < sets_.count; set += at_.groups * at_.splits) {
        Sums sums[N][M] = {};
        const Share share{share_.lane, set, share_.split, share_.splits};
        if (set == share_.index)
          multiply<hold, T, M, N>(sums, weights_, held_, inbox_, tiles_, share, tiles_of(columns));
        else multiply_some<0, T, M, N, N>(sums, weights_, {}, inbox_, tiles_, share);
        Receiver to = receiver_;
        if (set != share_.index) to = receiver_of(set * M);
        ELMAN_UNROLL
        for (int m = 0; m < M; ++m) {
          ELMAN_UNROLL
          for (int n = 0; n < N; ++n)
            if (output(set, m) < outputs_ && has(n, columns)) send(to, n, sums[n][m]);
          if (++to.group == at_.groups) to.group = 0, ++to.rank;
        }
      }
    }
    if (exchange == Exchange::shared && at_.layout.ranks == 1) {
      block_sync();
    } else {
      if (exchange == Exchange::shared) {
        // From each sender for each group, 16 bytes from each lane that has a segment.
        const int groups = (outputs_ - at_.first_unit(0)) / group;
        const int lanes = (columns + 1) / 2 * 8 * (groups < at_.groups ? groups : at_.groups);
        if (thread_index() == 0)
          expect_arrivals(arrivals_ + step_ % 2, senders() * lanes * int{sizeof(Part)});
        wait_for_arrivals(arrivals_ + step_ % 2, (step_ - 1) / 2 % 2);
      }
      block_sync();  // all have read the inbox
    }
  }

 private:
  struct alignas(16) Part {
    float v[4];
  };

  // The block that has a group of units, and the group's number in it.
  struct Receiver {
    int rank, group;
  };
  ELMAN_DEVICE Receiver receiver_of(int g) const { return {g / at_.groups, g % at_.groups}; }

  ELMAN_DEVICE int senders() const { return at_.layout.ranks * sets_.splits; }
  ELMAN_DEVICE int words_of_block() const { return senders() * at_.groups * N * 32 * 4; }
  // Whether the lane has a segment in tile n.
  ELMAN_DEVICE bool has(int n, int columns) const { return n * tile_segments + at_.lane % 4 * 2 < columns; }

  // Where a sender's sums for a tile lie, among all that a block gets in a step.
  ELMAN_DEVICE int place(int sender, int g, int n) const {
    return ((sender * at_.groups + g) * N + n) * 32 + at_.lane;
  }
  // Place for two steps is enough. A block sends the sums of a step when it has all of the step before, and
  // the others sent those when they had read all before that.
  ELMAN_DEVICE Part* sums_of(int step) const { return sums_ + step % 2 * senders() * at_.groups * N * 32; }
  ELMAN_DEVICE uint64_t* words_of(int rank, int step) const {
    return words_ + (rank * 2 + step % 2) * words_of_block();
  }

  ELMAN_DEVICE void send(const Receiver& receiver, int n, const Sums& sums) {
    const int to = place(at_.rank * sets_.splits + share_.split, receiver.group, n), rank = receiver.rank;
    const Part part{{sums[0], sums[1], sums[2], sums[3]}};
    if constexpr (exchange == Exchange::global) post(words_of(rank, step_) + to * 4, part, step_);
    else if (at_.layout.ranks == 1) sums_of(step_)[to] = part;
    else push_to_peer(sums_of(step_) + to, rank, part, arrivals_ + step_ % 2);
  }

  // This warp's share of the senders.
  ELMAN_DEVICE void add_up(Sums& sums, int n) {
    constexpr int ahead = exchange == Exchange::shared ? 4 : 2;
    const int all = senders(), by = at_.splits;
    ELMAN_NO_UNROLL
    for (int sender = at_.split; sender < all; sender += by * ahead) {
      Part parts[ahead];
      if constexpr (exchange == Exchange::shared) {
        ELMAN_UNROLL
        for (int i = 0; i < ahead; ++i)
          if (sender + i * by < all) parts[i] = sums_of(step_)[place(sender + i * by, at_.in_block, n)];
      } else {
        const auto words = [&](int i, int half) {
          return words_of(at_.rank, step_) + place(sender + i * by, at_.in_block, n) * 4 + half * 2;
        };
        Words found[ahead][2];
        ELMAN_UNROLL
        for (int i = 0; i < ahead; ++i)
          if (sender + i * by < all) found[i][0] = look(words(i, 0)), found[i][1] = look(words(i, 1));
        ELMAN_UNROLL
        for (int i = 0; i < ahead; ++i) {
          if (sender + i * by < all) {
            const Bytes first = await(words(i, 0), found[i][0], step_),
                        last = await(words(i, 1), found[i][1], step_);
            memcpy(parts[i].v, &first, sizeof first);
            memcpy(parts[i].v + 2, &last, sizeof last);
          }
        }
      }
      ELMAN_UNROLL
      for (int i = 0; i < ahead; ++i) {
        ELMAN_UNROLL
        for (int v = 0; v < 4; ++v)
          if (sender + i * by < all) sums[v] += parts[i].v[v];
      }
    }
  }

  const Place& at_;
  const int outputs_, tiles_;
  const Sets sets_;
  Share share_;
  Receiver receiver_;  // of the first tile of the warp's first set
  Held<T, M, hold> held_;
  Pair<T>*weights_, *inbox_;
  float* partial_;
  Part* sums_;
  uint64_t *arrivals_, *words_;  // of each of two steps; of the team
  int step_ = 0;
  int place_[2];  // of the lane's values of the first slot in the inbox
};

}  // namespace elman::cuda
