// The backward scan of a layer: the gradients of all slots, in the place of what forward kept, and of the
// initial states. The products with them (the gradients of x and of the weights) are matrix products of the
// caller's.
#pragma once

#include <type_traits>

#include "gather.h"
#include "lane.h"
#include "scatter.h"

namespace elman::cuda {

// Step -1 is where the initial states are: what is left there are their gradients.
template <class Cell, class T, int N> class BackwardLane : Lane<T, BackwardSide<T>, N> {
  using Base = Lane<T, BackwardSide<T>, N>;
  using Base::at_, Base::finishes_, Base::H_, Base::job_, Base::plan_, Base::rows_, Base::segment_,
      Base::side_, Base::unit_;
  using Base::carried, Base::find_rows, Base::load, Base::moment, Base::of_sequence, Base::store;

 public:
  static_assert(Cell::stages == 1, "the GPU has no second stage yet");
  static constexpr int slots = Cell::slots, states = Cell::states;

  ELMAN_DEVICE BackwardLane(const Job<BackwardSide<T>>& job, const Place& at)
      : Base(job, at), t_(job.t_end - 1), after_(moment(job.t_end)) {}

  // The sums for unit u run over the slots that h feeds, and in each over the units.
  ELMAN_DEVICE Pair<T> weight(int u, Source from) const {
    constexpr Feed fed_h = Cell::h;  // device code has no address of the other
    const int v = from.unit;
    const T* row = side_.weight + (int64_t{gate_of(fed_h, from.slot)} * H_ + v) * H_ + u;
    return Pair<T>::of(u < H_ && v < H_ ? row[0] : T{}, u < H_ && v + 1 < H_ ? row[H_] : T{});
  }
  ELMAN_DEVICE Pair<T> input(int column, Source from) const {
    constexpr Feed fed_h = Cell::h;
    const int segment = at_.segment(column);
    if (segment >= after_.alive) return Pair<T>{};
    const int64_t row = plan_.index[after_.offset + segment];
    return rows_.load(side_.slots + (row * slots + fed_h.begin + from.slot) * H_, from.unit);
  }

  // Before the first step; false where the team has none.
  ELMAN_DEVICE bool begin() {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) ELMAN_UNROLL
    for (int k = 0; k < states; ++k) {
      Two two{0, 0};
      if (finishes_ && segment_[j] < after_.alive) two = widen(load(carried(k, segment_[j])));
      carry_[k].v[2 * j] = two.x, carry_[k].v[2 * j + 1] = two.y;
    }
    while (t_ >= 0 && at_.count(moment(t_).alive) == 0) after_ = moment(t_--);
    if (t_ < job_.t_begin) return false;
    now_ = moment(t_), before_ = moment(t_ - 1), earlier_ = moment(t_ - 2), earliest_ = moment(t_ - 3);
    count_ = at_.count(after_.alive);
    find_rows(row_, now_);
    find_rows(row_before_, before_);
    find_rows(row_earlier_, earlier_);
    load_step(t_);
    return true;
  }

  // How many of the team's segments took part in the step above, whose slots' gradients are passed on.
  ELMAN_DEVICE int count() const { return count_; }
  ELMAN_DEVICE bool last() const { return t_ == job_.t_begin; }

  // This step, from the sums of the gradients that come through the slots of the step above. As in forward
  // all values are computed before any is used, and what the others wait for is passed on first.
  template <class Recurrence> ELMAN_DEVICE void step(const Sums& sums, Recurrence& recurrence) {
    constexpr Feed fed_h = Cell::h;
    gradients_above(sums);
    if (t_ < 0) {
      ELMAN_UNROLL
      for (int j = 0; j < 2; ++j)
        if (finishes_ && segment_[j] < plan_.segments) finish(j);
      return;
    }
    Four a[slots];
    run_cell(a);
    const bool there[2] = {row_[0] >= 0, row_[1] >= 0};
    Pair<T> da[2][slots];
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) ELMAN_UNROLL
    for (int i = 0; i < slots; ++i) da[j][i] = of_segment<T>(a[i], j);
    if (!last()) {
      ELMAN_UNROLL
      for (int i = fed_h.begin; i < fed_h.end; ++i) {
        const Pair<T> values[2] = {da[0][i], da[1][i]};
        recurrence.pass_on(there, i - fed_h.begin, values);
      }
    }
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      if (!there[j]) continue;
      T* row = side_.slots + int64_t{row_[j]} * slots * H_;
      ELMAN_UNROLL
      for (int i = 0; i < slots; ++i) store(row + i * H_, da[j][i]);
      if (last()) carry_on(j);
    }
  }

  ELMAN_DEVICE void next() {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) row_[j] = row_before_[j], row_before_[j] = row_earlier_[j];
    load_step(t_ - 1);
    find_rows(row_earlier_, earliest_);
    if (now_.alive != after_.alive) count_ = at_.count(now_.alive);
    after_ = now_, now_ = before_, before_ = earlier_, earlier_ = earliest_, earliest_ = moment(t_ - 4);
    --t_;
  }

 private:
  // Of the step of rows `row_`.
  ELMAN_DEVICE void load_step(int step) {
    if (rows_.paired) load_step_as<true>(step);
    else load_step_as<false>(step);
  }
  template <bool whole> ELMAN_DEVICE void load_step_as(int step) {
    const auto load = [&](const auto* row) { return rows_.template load<whole>(row, unit_); };
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      if (row_[j] < 0) continue;
      const int64_t now = row_[j], last = row_before_[j];
      const T* row = side_.slots + now * slots * H_;
      ELMAN_UNROLL
      for (int i = 0; i < slots; ++i) slots_[j][i] = load(row + i * H_);
      if (side_.dy) dy_[j] = load(side_.dy + now * job_.y_stride);
      h_after_[j] = load(side_.y + now * job_.y_stride);
      ELMAN_UNROLL
      for (int k = 1; k < states; ++k) state_after_[j][k] = load(side_.states[k] + now * H_);
      if (step) {
        h_[j] = load(side_.y + last * job_.y_stride);
        ELMAN_UNROLL
        for (int k = 1; k < states; ++k) state_[j][k] = load(side_.states[k] + last * H_);
      } else {
        const int b = plan_.start[segment_[j]];
        h_[j] = of_sequence(side_.initial[0], b);
        ELMAN_UNROLL
        for (int k = 1; k < states; ++k) {
          const Two two = widen(of_sequence(side_.initial[k], b));
          state_[j][k] = {two.x, two.y};
        }
      }
    }
  }

  // carry_: the gradients of the states after this step, from the step above, or in a segment's last step
  // from its final states.
  ELMAN_DEVICE void gradients_above(const Sums& sums) {
    carry_[0] = carry_[0] + Four{{sums[0], sums[2], sums[1], sums[3]}};
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      const bool there = t_ >= 0 ? row_[j] >= 0 : finishes_ && segment_[j] < plan_.segments;
      if (!there || segment_[j] < after_.alive) continue;
      const int b = plan_.finish[segment_[j]];  // the segment ends here
      ELMAN_UNROLL
      for (int k = 0; k < states; ++k) {
        const Two two = widen(of_sequence(side_.dfinal[k], b));
        carry_[k].v[2 * j] = two.x, carry_[k].v[2 * j + 1] = two.y;
      }
    }
  }

  // a: the slots' gradients. carry_: then of the states before the step.
  ELMAN_DEVICE void run_cell(Four (&a)[slots]) {
    Four before[states], after[states];
    before[0] = both(h_[0], h_[1]), after[0] = both(h_after_[0], h_after_[1]);
    ELMAN_UNROLL
    for (int k = 1; k < states; ++k) {
      before[k] = both(state_[0][k], state_[1][k]);
      after[k] = both(state_after_[0][k], state_after_[1][k]);
    }
    ELMAN_UNROLL
    for (int i = 0; i < slots; ++i) a[i] = both(slots_[0][i], slots_[1][i]);
    carry_[0] = carry_[0] + both(dy_[0], dy_[1]);
    Cell{}.backward(a, before, after, carry_);
  }
  template <class V> static ELMAN_DEVICE Four both(Pair<V> of_first, Pair<V> of_second) {
    const Two first = widen(of_first), second = widen(of_second);
    return {{first.x, first.y, second.x, second.y}};
  }

  // Where the segment begins: the gradients of its initial states.
  ELMAN_DEVICE void finish(int j) {
    const int b = plan_.start[segment_[j]];
    ELMAN_UNROLL
    for (int k = 0; k < states; ++k)
      if (b >= 0) store(side_.dinitial[k] + int64_t{b} * H_, of_segment<T>(carry_[k], j));
  }

  // To the next launch.
  ELMAN_DEVICE void carry_on(int j) {
    ELMAN_UNROLL
    for (int k = 0; k < states; ++k) store(carried(k, segment_[j]), of_segment<float>(carry_[k], j));
  }

  int t_, count_ = 0;
  Moment after_, now_, before_, earlier_, earliest_;  // of steps t + 1, t, ... t - 3
  Four carry_[states];
  // Values from memory are asked for a step before they are needed, their rows two steps before.
  int row_[2], row_before_[2], row_earlier_[2];  // of steps t, t - 1 and t - 2
  Pair<T> slots_[2][slots] = {}, dy_[2] = {}, h_[2] = {}, h_after_[2] = {};
  Pair<float> state_[2][states] = {}, state_after_[2][states] = {};  // of those beyond h
};

template <class Cell, class T, int N, Exchange exchange>
ELMAN_KERNEL void ELMAN_LAUNCH_BOUNDS(most_threads) backward(ELMAN_PARAMETER Job<BackwardSide<T>> job) {
  using Recurrence = std::conditional_t<exchange == Exchange::none, Gather<T, 1, N, exchange, false>,
                                        Scatter<T, N, exchange>>;
  const Place at(job.layout, job.H);
  BackwardLane<Cell, T, N> lane(job, at);
  Recurrence recurrence(at, {Cell::h.count(), job.H, job.paired}, job.words);
  const auto weight = [&](auto, int g, int m, int row, int k) {
    return lane.weight(recurrence.output(g, m) + unit_of_row(row), recurrence.source(k));
  };
  const auto input = [&](int column, int k) { return lane.input(column, recurrence.source(k)); };
  recurrence.begin(weight, input);
  if (!lane.begin()) return;
  for (;;) {
    const int count = lane.count();
    Sums sums[1] = {};
    if (count) recurrence.take(sums, weight, input, count);
    lane.step(sums[0], recurrence);
    if (lane.last()) return;
    lane.next();
    recurrence.next(lane.count());
  }
}

}  // namespace elman::cuda
