// The forward scan of a layer: one kernel for every cell, type and schedule.
#pragma once

#include "gather.h"
#include "lane.h"

namespace elman::cuda {

template <class Cell, class T, int N> class ForwardLane : Lane<T, ForwardSide<T>, N> {
  using Base = Lane<T, ForwardSide<T>, N>;
  using Base::at_, Base::H_, Base::job_, Base::plan_, Base::rows_, Base::segment_, Base::side_, Base::unit_;
  using Base::carried, Base::find_rows, Base::load, Base::moment, Base::of_sequence, Base::store;

 public:
  static_assert(Cell::stages == 1, "the GPU has no second stage yet");
  static constexpr int slots = Cell::slots, states = Cell::states, X = Cell::x.count(), M = Cell::h.count();

  ELMAN_DEVICE ForwardLane(const Job<ForwardSide<T>>& job, const Place& at)
      : Base(job, at), t_(job.t_begin), now_(moment(t_)), next_(moment(t_ + 1)), later_(moment(t_ + 2)) {
    count_ = at.count(now_.alive);
  }

  // Of W_hh, units k and k + 1 in the row of unit u, in the m-th gate that h feeds.
  template <bool whole> ELMAN_DEVICE Pair<T> weight(int u, int m, int k) const {
    constexpr Feed fed_h = Cell::h;  // device code has no address of the other
    const T* row = side_.weight + (int64_t{gate_of(fed_h, m)} * H_ + u) * H_;
    return u < H_ && k < H_ ? rows_.template load<whole>(row, k) : Pair<T>{};
  }

  // Units k and k + 1 of the h that this step starts from.
  ELMAN_DEVICE Pair<T> input(int column, int k) const {
    const int segment = at_.segment(column);
    if (segment >= now_.alive) return Pair<T>{};
    if (t_) return rows_.load(side_.y + plan_.index[plan_.offset[t_ - 1] + segment] * job_.y_stride, k);
    const int b = plan_.start[segment];
    return b >= 0 && side_.initial[0] ? rows_.load(side_.initial[0] + int64_t{b} * H_, k) : Pair<T>{};
  }

  // Before the first step.
  ELMAN_DEVICE void begin() {
    constexpr Feed fed_h = Cell::h;
    ELMAN_UNROLL
    for (int m = 0; m < M; ++m) {
      const Two two = side_.bias ? widen(load(side_.bias + gate_of(fed_h, m) * H_)) : Two{0, 0};
      bias_[m][0] = two.x, bias_[m][1] = two.y;
    }
    find_rows(row_, now_);
    find_rows(next_row_, next_);
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) ELMAN_UNROLL
    for (int k = 0; k < states; ++k) {
      Two two{0, 0};
      if (row_[j] >= 0) {
        if (t_) two = widen(load(carried(k, segment_[j])));
        else two = widen(of_sequence(side_.initial[k], plan_.start[segment_[j]]));
      }
      state_[k].v[2 * j] = two.x, state_[k].v[2 * j + 1] = two.y;
    }
    load_products();
  }

  // How many of the team's segments take part in this step.
  ELMAN_DEVICE int count() const { return count_; }
  ELMAN_DEVICE bool last() const { return t_ + 1 == job_.t_end; }

  // This step, from the sums of W_hh h. All values are computed before any is used: those of a segment that
  // has ended, which nobody uses, cost less than a branch. What the others wait for is passed on first.
  template <class Recurrence> ELMAN_DEVICE void step(const Sums (&sums)[M], Recurrence& recurrence) {
    Four a[slots] = {};
    Pair<T> h[2];
    bool continues[2];
    run_cell(sums, a);
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      h[j] = of_segment<T>(state_[0], j);
      state_[0].v[2 * j] = to_float(h[j].first());  // as every reader of it will have it
      state_[0].v[2 * j + 1] = to_float(h[j].second());
      continues[j] = row_[j] >= 0 && segment_[j] < next_.alive;
    }
    if (!last()) recurrence.pass_on(continues, 0, h);
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      if (row_[j] < 0) continue;
      store(side_.y + row_[j] * job_.y_stride, h[j]);
      if (side_.slots) keep(j, a);
      if (!continues[j]) finish(j);
      else if (last()) carry_on(j);
    }
  }

  ELMAN_DEVICE void next() {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) row_[j] = next_row_[j];
    load_products();
    find_rows(next_row_, later_);
    if (next_.alive != now_.alive) count_ = at_.count(next_.alive);
    now_ = next_, next_ = later_, later_ = moment(t_ + 3);
    ++t_;
  }

 private:
  ELMAN_DEVICE void load_products() {
    if (rows_.paired) load_products_as<true>();
    else load_products_as<false>();
  }
  template <bool whole> ELMAN_DEVICE void load_products_as() {
    constexpr Feed fed_x = Cell::x;
    constexpr int gates = Cell::gates;
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      if (row_[j] < 0) continue;
      const T* row = side_.products + int64_t{row_[j]} * gates * H_;
      ELMAN_UNROLL
      for (int i = 0; i < X; ++i)
        products_[j][i] = rows_.template load<whole>(row + gate_of(fed_x, i) * H_, unit_);
    }
  }

  // a: what backward needs of the slots.
  ELMAN_DEVICE void run_cell(const Sums (&sums)[M], Four (&a)[slots]) {
    constexpr Feed fed_x = Cell::x, fed_h = Cell::h;
    ELMAN_UNROLL
    for (int i = 0; i < X; ++i) {
      const Two of[2] = {widen(products_[0][i]), widen(products_[1][i])};
      a[fed_x.begin + i] = Four{{of[0].x, of[0].y, of[1].x, of[1].y}};
    }
    ELMAN_UNROLL
    for (int m = 0; m < M; ++m) {
      const Sums& s = sums[m];
      const float (&b)[2] = bias_[m];
      const Four sum = Four{{s[0], s[2], s[1], s[3]}} + Four{{b[0], b[1], b[0], b[1]}};
      a[fed_h.begin + m] = a[fed_h.begin + m] + sum;
    }
    Cell{}.forward(a, state_);
  }

  // For backward.
  ELMAN_DEVICE void keep(int j, const Four (&a)[slots]) {
    const int64_t row = row_[j];
    ELMAN_UNROLL
    for (int i = 0; i < slots; ++i) store(side_.slots + (row * slots + i) * H_, of_segment<T>(a[i], j));
    ELMAN_UNROLL
    for (int k = 1; k < states; ++k) store(side_.states[k] + row * H_, of_segment<float>(state_[k], j));
  }

  // After the segment's last step.
  ELMAN_DEVICE void finish(int j) {
    const int b = plan_.finish[segment_[j]];
    ELMAN_UNROLL
    for (int k = 0; k < states; ++k)
      if (b >= 0 && side_.final[k]) store(side_.final[k] + int64_t{b} * H_, of_segment<T>(state_[k], j));
  }

  // To the next launch.
  ELMAN_DEVICE void carry_on(int j) {
    ELMAN_UNROLL
    for (int k = 0; k < states; ++k) store(carried(k, segment_[j]), of_segment<float>(state_[k], j));
  }

  int t_, count_;
  Moment now_, next_, later_;  // of steps t, t + 1 and t + 2
  float bias_[M][2];
  Four state_[states] = {};
  // Values from memory are asked for a step before they are needed, their rows two steps before.
  int row_[2], next_row_[2];
  Pair<T> products_[2][X] = {};
};

template <class Cell, class T, int N, Exchange exchange>
ELMAN_KERNEL void ELMAN_LAUNCH_BOUNDS(most_threads) forward(ELMAN_PARAMETER Job<ForwardSide<T>> job) {
  constexpr int M = Cell::h.count();
  const Place at(job.layout, job.H);
  ForwardLane<Cell, T, N> lane(job, at);
  Gather<T, M, N, exchange, true> recurrence(at, {1, job.H, job.paired}, job.words);
  const auto weight = [&](auto whole, int g, int m, int row, int k) {
    return lane.template weight<decltype(whole)::value>(at.first_unit(g) + unit_of_row(row), m, k);
  };
  const auto input = [&](int column, int k) { return lane.input(column, k); };
  recurrence.begin(weight, input);
  lane.begin();
  while (const int count = lane.count()) {
    Sums sums[M] = {};
    recurrence.take(sums, weight, input, count);
    lane.step(sums, recurrence);
    if (lane.last()) return;
    lane.next();
    recurrence.next(lane.count());
  }
}

}  // namespace elman::cuda
