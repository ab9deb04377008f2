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
      state_[j][k][0] = two.x, state_[j][k][1] = two.y;
    }
    load_products();
  }

  // How many of the team's segments take part in this step.
  ELMAN_DEVICE int count() const { return count_; }
  ELMAN_DEVICE bool last() const { return t_ + 1 == job_.t_end; }

  // This step, from the sums of W_hh h. All values are computed before any is used: those of a segment that
  // has ended, which nobody uses, cost less than a branch. What the others wait for is passed on first.
  template <class Recurrence> ELMAN_DEVICE void step(const Sums (&sums)[M], Recurrence& recurrence) {
    float a[2][2][slots] = {};  // [j][e]
    Pair<T> h[2];
    bool continues[2];
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) run_cell(j, sums, a[j]);
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      float (&s)[states][2] = state_[j];
      h[j] = narrow<T>(s[0][0], s[0][1]);
      s[0][0] = to_float(h[j].first()),
      s[0][1] = to_float(h[j].second());  // as every reader of it will have it
      continues[j] = row_[j] >= 0 && segment_[j] < next_.alive;
    }
    if (!last()) recurrence.pass_on(continues, 0, h);
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      if (row_[j] < 0) continue;
      store(side_.y + row_[j] * job_.y_stride, h[j]);
      if (side_.slots) keep(j, a[j]);
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
  ELMAN_DEVICE void run_cell(int j, const Sums (&sums)[M], float (&a)[2][slots]) {
    constexpr Feed fed_x = Cell::x, fed_h = Cell::h;
    ELMAN_UNROLL
    for (int i = 0; i < X; ++i) {
      const Two two = widen(products_[j][i]);
      a[0][fed_x.begin + i] = two.x, a[1][fed_x.begin + i] = two.y;
    }
    ELMAN_UNROLL
    for (int e = 0; e < 2; ++e) {
      float s[states];
      ELMAN_UNROLL
      for (int m = 0; m < M; ++m) a[e][fed_h.begin + m] += sums[m][2 * e + j] + bias_[m][e];
      ELMAN_UNROLL
      for (int k = 0; k < states; ++k) s[k] = state_[j][k][e];
      Cell{}.forward(a[e], s);
      ELMAN_UNROLL
      for (int k = 0; k < states; ++k) state_[j][k][e] = s[k];
    }
  }

  // For backward.
  ELMAN_DEVICE void keep(int j, const float (&a)[2][slots]) {
    const int64_t row = row_[j];
    ELMAN_UNROLL
    for (int i = 0; i < slots; ++i) store(side_.slots + (row * slots + i) * H_, narrow<T>(a[0][i], a[1][i]));
    ELMAN_UNROLL
    for (int k = 1; k < states; ++k)
      store(side_.states[k] + row * H_, Pair<float>{state_[j][k][0], state_[j][k][1]});
  }

  // After the segment's last step.
  ELMAN_DEVICE void finish(int j) {
    const int b = plan_.finish[segment_[j]];
    ELMAN_UNROLL
    for (int k = 0; k < states; ++k)
      if (b >= 0 && side_.final[k])
        store(side_.final[k] + int64_t{b} * H_, narrow<T>(state_[j][k][0], state_[j][k][1]));
  }

  // To the next launch.
  ELMAN_DEVICE void carry_on(int j) {
    ELMAN_UNROLL
    for (int k = 0; k < states; ++k)
      store(carried(k, segment_[j]), Pair<float>{state_[j][k][0], state_[j][k][1]});
  }

  int t_, count_;
  Moment now_, next_, later_;                    // of steps t, t + 1 and t + 2
  float bias_[M][2], state_[2][states][2] = {};  // [j][k][e]
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
