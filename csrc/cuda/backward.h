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
  using Base::at_, Base::H_, Base::job_, Base::plan_, Base::rows_, Base::side_, Base::unit_;
  using Base::carried, Base::find_rows, Base::finishes, Base::load, Base::of_sequence, Base::segment,
      Base::store;

 public:
  static_assert(Cell::stages == 1, "the GPU has no second stage yet");
  static constexpr int slots = Cell::slots, states = Cell::states;

  ELMAN_DEVICE BackwardLane(const Job<BackwardSide<T>>& job, const Place& at)
      : Base(job, at), t_(job.t_end - 1) {}

  // The sums for unit u run over the slots that h feeds, and in each over the units.
  ELMAN_DEVICE Pair<T> weight(int u, Source from) const {
    constexpr Feed fed_h = Cell::h;  // device code has no address of the other
    const int v = from.unit;
    const T* row = side_.weight + (int64_t{gate_of(fed_h, from.slot)} * H_ + v) * H_ + u;
    return {u < H_ && v < H_ ? row[0] : T{}, u < H_ && v + 1 < H_ ? row[H_] : T{}};
  }
  ELMAN_DEVICE Pair<T> input(int column, Source from) const {
    constexpr Feed fed_h = Cell::h;
    const int segment = at_.segment(column);
    if (segment >= alive_at(plan_, t_ + 1)) return Pair<T>{};
    const int64_t row = plan_.index[plan_.offset[t_ + 1] + segment];
    return rows_.load(side_.slots + (row * slots + fed_h.begin + from.slot) * H_, from.unit);
  }

  // Before the first step; false where the team has none.
  ELMAN_DEVICE bool begin() {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) ELMAN_UNROLL
    for (int k = 0; k < states; ++k) {
      Two two{0, 0};
      if (finishes() && segment(j) < alive_at(plan_, job_.t_end)) two = widen(load(carried(k, segment(j))));
      carry_[j][k][0] = two.x, carry_[j][k][1] = two.y;
    }
    while (t_ >= 0 && at_.count(alive_at(plan_, t_)) == 0) --t_;
    if (t_ < job_.t_begin) return false;
    find_rows(row_, t_);
    find_rows(before_, t_ - 1);
    find_rows(next_before_, t_ - 2);
    load_step(t_);
    return true;
  }

  // How many of the team's segments took part in the step above, whose slots' gradients are passed on.
  ELMAN_DEVICE int count() const { return at_.count(alive_at(plan_, t_ + 1)); }
  ELMAN_DEVICE bool last() const { return t_ == job_.t_begin; }

  // This step, from the sums of the gradients that come through the slots of the step above.
  template <class Recurrence> ELMAN_DEVICE void step(const Sums& sums, Recurrence& recurrence) {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      const bool there = t_ < 0 ? segment(j) < plan_.segments : row_[j] >= 0;
      if (!finishes() || !there || unit_ >= H_) continue;
      float d[2][states];  // [e][k], of the states after the step, then of those before
      gradients_above(j, sums, d);
      if (t_ < 0) {
        finish(j, d);
        continue;
      }
      float a[2][slots];
      run_cell(j, a, d);
      store_slots(j, a, recurrence);
      if (last()) carry_on(j, d);
    }
  }

  ELMAN_DEVICE void next() {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) row_[j] = before_[j], before_[j] = next_before_[j];
    load_step(t_ - 1);
    find_rows(next_before_, t_ - 3);
    --t_;
  }

 private:
  // Of the step of rows `row_`.
  ELMAN_DEVICE void load_step(int step) {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      if (row_[j] < 0) continue;
      const int64_t now = row_[j], last = before_[j];
      const int b = step ? -1 : plan_.start[segment(j)];
      ELMAN_UNROLL
      for (int i = 0; i < slots; ++i) slots_[j][i] = load(side_.slots + (now * slots + i) * H_);
      dy_[j] = side_.dy ? load(side_.dy + now * job_.y_stride) : Pair<T>{};
      h_after_[j] = load(side_.y + now * job_.y_stride);
      h_[j] = step ? load(side_.y + last * job_.y_stride) : of_sequence(side_.initial[0], b);
      ELMAN_UNROLL
      for (int k = 1; k < states; ++k) {
        after_[j][k] = load(side_.states[k] + now * H_);
        if (step) {
          state_[j][k] = load(side_.states[k] + last * H_);
        } else {
          const Two two = widen(of_sequence(side_.initial[k], b));
          state_[j][k] = {two.x, two.y};
        }
      }
    }
  }

  // Of the states after this step: from the step above, or in the segment's last step from its final states.
  ELMAN_DEVICE void gradients_above(int j, const Sums& sums, float (&d)[2][states]) {
    const bool ends = segment(j) >= alive_at(plan_, t_ + 1);
    const int b = ends ? plan_.finish[segment(j)] : -1;
    ELMAN_UNROLL
    for (int k = 0; k < states; ++k) {
      Two two{carry_[j][k][0], carry_[j][k][1]};
      if (ends) two = widen(of_sequence(side_.dfinal[k], b));
      else if (k == 0) two.x += sums[j], two.y += sums[2 + j];
      d[0][k] = two.x, d[1][k] = two.y;
    }
  }

  // a: the slots' gradients.
  ELMAN_DEVICE void run_cell(int j, float (&a)[2][slots], float (&d)[2][states]) {
    const Two dy = widen(dy_[j]), h = widen(h_[j]), h_after = widen(h_after_[j]);
    ELMAN_UNROLL
    for (int e = 0; e < 2; ++e) {
      float before[states], after[states];
      before[0] = e ? h.y : h.x, after[0] = e ? h_after.y : h_after.x;
      ELMAN_UNROLL
      for (int k = 1; k < states; ++k) {
        before[k] = e ? state_[j][k].y : state_[j][k].x;
        after[k] = e ? after_[j][k].y : after_[j][k].x;
      }
      ELMAN_UNROLL
      for (int i = 0; i < slots; ++i) {
        const Two two = widen(slots_[j][i]);
        a[e][i] = e ? two.y : two.x;
      }
      d[e][0] += e ? dy.y : dy.x;
      Cell{}.backward(a[e], before, after, d[e]);
      ELMAN_UNROLL
      for (int k = 0; k < states; ++k) carry_[j][k][e] = d[e][k];
    }
  }

  template <class Recurrence>
  ELMAN_DEVICE void store_slots(int j, const float (&a)[2][slots], Recurrence& recurrence) {
    constexpr Feed fed_h = Cell::h;
    ELMAN_UNROLL
    for (int i = 0; i < slots; ++i) {
      const Pair<T> da = narrow<T>(a[0][i], a[1][i]);
      store(side_.slots + (int64_t{row_[j]} * slots + i) * H_, da);
      if (!last() && i >= fed_h.begin && i < fed_h.end)
        recurrence.pass_on(at_.column(j), i - fed_h.begin, unit_, da);
    }
  }

  // Where the segment begins: the gradients of its initial states.
  ELMAN_DEVICE void finish(int j, const float (&d)[2][states]) {
    const int b = plan_.start[segment(j)];
    ELMAN_UNROLL
    for (int k = 0; k < states; ++k)
      if (b >= 0) store(side_.dinitial[k] + int64_t{b} * H_, narrow<T>(d[0][k], d[1][k]));
  }

  // To the next launch.
  ELMAN_DEVICE void carry_on(int j, const float (&d)[2][states]) {
    ELMAN_UNROLL
    for (int k = 0; k < states; ++k) store(carried(k, segment(j)), Pair<float>{d[0][k], d[1][k]});
  }

  int t_;
  float carry_[2][states][2];  // [j][k][e]
  // Values from memory are asked for a step before they are needed, their addresses two steps before.
  int row_[2], before_[2], next_before_[2];  // of steps t, t - 1 and t - 2
  Pair<T> slots_[2][slots], dy_[2], h_[2], h_after_[2];
  Pair<float> state_[2][states], after_[2][states];  // of those beyond h
};

template <class Cell, class T, int N, Exchange exchange>
ELMAN_KERNEL void ELMAN_LAUNCH_BOUNDS(most_threads) backward(ELMAN_PARAMETER Job<BackwardSide<T>> job) {
  using Recurrence =
      std::conditional_t<exchange == Exchange::none, Gather<T, 1, N, exchange>, Scatter<T, N, exchange>>;
  const Place at(job.layout, job.H);
  BackwardLane<Cell, T, N> lane(job, at);
  Recurrence recurrence(at, Cell::h.count(), job.H, job.words);
  const auto weight = [&](int g, int m, int row, int k) {
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
