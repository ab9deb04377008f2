// The backward scan of a layer: the gradients of all slots, in the place of what forward kept, and of the
// initial states. The products with them (the gradients of x and of the weights) are matrix products of the
// caller's.
#pragma once

#include <type_traits>

#include "gather.h"
#include "scatter.h"

namespace elman::cuda {

// Step -1 is where the initial states are: what is left there are their gradients.
template <class Cell, class T, int N, Exchange exchange>
ELMAN_KERNEL void ELMAN_LAUNCH_BOUNDS(most_threads) backward(ELMAN_PARAMETER Job<BackwardSide<T>> job) {
  static_assert(Cell::vectors == 0 && Cell::stages == 1, "the GPU has no vectors and no second stage yet");
  constexpr Feed fed_h = Cell::h;
  constexpr int S = Cell::slots, states = Cell::states, G = fed_h.count();
  const Place at(job.layout, job.H);
  const BackwardSide<T>& side = job.side[at.direction];
  const PlanView& plan = side.plan;
  const Access rows{job.H, job.paired};
  const int H = job.H, unit = at.unit;
  int t = job.t_end - 1;
  using Recurrence =
      std::conditional_t<exchange == Exchange::none, Gather<T, 1, N, exchange>, Scatter<T, N, exchange>>;
  Recurrence recurrence(at, G, H, job.words);

  // The sum runs over the slots that h feeds, and in each over the units v.
  const auto weight = [&](int g, int m, int row, int k) {
    const int u = recurrence.output(g, m) + unit_of_row(row);
    const auto [feed, v] = recurrence.source(k);
    const T* from = side.weight + (int64_t{gate_of(fed_h, feed)} * H + v) * H + u;
    return Pair<T>{u < H && v < H ? from[0] : T{}, u < H && v + 1 < H ? from[H] : T{}};
  };
  const auto input = [&](int column, int k) {
    const int r = at.row(column);
    if (r >= alive_at(plan, t + 1)) return Pair<T>{};
    const int64_t row = plan.index[plan.offset[t + 1] + r];
    const auto [feed, v] = recurrence.source(k);
    return rows.load(side.slots + (row * S + fed_h.begin + feed) * H, v);
  };
  recurrence.begin(weight, input);

  // This warp's tile: the lane's two rows j, of each the two units e.
  const auto carried = [&](int k, int r) { return side.carry + (int64_t{k} * plan.segments + r) * H; };
  float carry[2][states][2];  // carry[j][k][e]
  ELMAN_UNROLL
  for (int j = 0; j < 2; ++j) ELMAN_UNROLL
  for (int k = 0; k < states; ++k) {
    const int r = at.row(at.column(j));
    Two two{0, 0};
    if (at.split < N && r < alive_at(plan, job.t_end)) two = widen(rows.load(carried(k, r), unit));
    carry[j][k][0] = two.x, carry[j][k][1] = two.y;
  }

  // What comes from memory is asked for a step before it is needed, the addresses a step before that.
  int row[2], before[2], next_before[2];  // of steps t, t - 1 and t - 2
  Pair<T> a_in[2][S], dy_in[2], h_in[2], h1_in[2];
  Pair<float> s_in[2][states], s1_in[2][states];  // of the states beyond h
  const auto find_rows = [&](int (&to)[2], int step) {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      const int r = at.row(at.column(j));
      const bool there = step >= 0 && at.split < N && r < alive_at(plan, step);
      to[j] = there ? plan.index[plan.offset[step] + r] : -1;
    }
  };
  const auto load_step = [&](int step) {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      if (row[j] < 0) continue;
      const int64_t now = row[j], last = before[j];
      const int b = step ? -1 : plan.start[at.row(at.column(j))];
      ELMAN_UNROLL
      for (int i = 0; i < S; ++i) a_in[j][i] = rows.load(side.slots + (now * S + i) * H, unit);
      dy_in[j] = side.dy ? rows.load(side.dy + now * job.y_stride, unit) : Pair<T>{};
      h1_in[j] = rows.load(side.y + now * job.y_stride, unit);
      h_in[j] = Pair<T>{};
      if (step) h_in[j] = rows.load(side.y + last * job.y_stride, unit);
      else if (b >= 0 && side.initial[0]) h_in[j] = rows.load(side.initial[0] + int64_t{b} * H, unit);
      ELMAN_UNROLL
      for (int k = 1; k < states; ++k) {
        s1_in[j][k] = rows.load(side.states[k] + now * H, unit);
        s_in[j][k] = Pair<float>{};
        if (step) {
          s_in[j][k] = rows.load(side.states[k] + last * H, unit);
        } else if (b >= 0 && side.initial[k]) {
          const Two two = widen(rows.load(side.initial[k] + int64_t{b} * H, unit));
          s_in[j][k] = {two.x, two.y};
        }
      }
    }
  };
  while (t >= 0 && at.count(alive_at(plan, t)) == 0) --t;
  if (t < job.t_begin) return;
  find_rows(row, t);
  find_rows(before, t - 1);
  find_rows(next_before, t - 2);
  load_step(t);

  for (;; --t) {
    const int above = alive_at(plan, t + 1);
    Sums sums[1] = {};
    if (at.count(above)) recurrence.take(sums, weight, input, at.count(above));
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      const int column = at.column(j), r = at.row(column);
      if (at.split >= N || (t < 0 ? r >= plan.segments : row[j] < 0) || unit >= H) continue;
      float d[2][states];
      ELMAN_UNROLL
      for (int k = 0; k < states; ++k) {
        Two two{carry[j][k][0], carry[j][k][1]};
        if (r >= above) {  // its last step
          const int b = plan.finish[r];
          two = {0, 0};
          if (b >= 0 && side.dfinal[k]) two = widen(rows.load(side.dfinal[k] + int64_t{b} * H, unit));
        } else if (k == 0) {
          two.x += sums[0][j], two.y += sums[0][2 + j];
        }
        d[0][k] = two.x, d[1][k] = two.y;
      }
      if (t < 0) {
        const int b = plan.start[r];
        ELMAN_UNROLL
        for (int k = 0; k < states; ++k)
          if (b >= 0) rows.store(side.dinitial[k] + int64_t{b} * H, unit, narrow<T>(d[0][k], d[1][k]));
        continue;
      }
      const Two dy = widen(dy_in[j]), h = widen(h_in[j]), h1 = widen(h1_in[j]);
      float a[2][S];
      ELMAN_UNROLL
      for (int e = 0; e < 2; ++e) {
        float s[states], s1[states];
        s[0] = e ? h.y : h.x, s1[0] = e ? h1.y : h1.x;
        ELMAN_UNROLL
        for (int k = 1; k < states; ++k) {
          s[k] = e ? s_in[j][k].y : s_in[j][k].x;
          s1[k] = e ? s1_in[j][k].y : s1_in[j][k].x;
        }
        ELMAN_UNROLL
        for (int i = 0; i < S; ++i) {
          const Two two = widen(a_in[j][i]);
          a[e][i] = e ? two.y : two.x;
        }
        d[e][0] += e ? dy.y : dy.x;
        Cell{}.backward(a[e], s, s1, d[e], static_cast<const float*>(nullptr));
        ELMAN_UNROLL
        for (int k = 0; k < states; ++k) carry[j][k][e] = d[e][k];
      }
      ELMAN_UNROLL
      for (int i = 0; i < S; ++i) {
        const Pair<T> da = narrow<T>(a[0][i], a[1][i]);
        rows.store(side.slots + (int64_t{row[j]} * S + i) * H, unit, da);
        if (t > job.t_begin && i >= fed_h.begin && i < fed_h.end)
          recurrence.pass_on(column, i - fed_h.begin, unit, da);
      }
      if (t == job.t_begin) {
        ELMAN_UNROLL
        for (int k = 0; k < states; ++k) rows.store(carried(k, r), unit, Pair<float>{d[0][k], d[1][k]});
      }
    }
    if (t == job.t_begin) return;
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) row[j] = before[j], before[j] = next_before[j];
    load_step(t - 1);
    find_rows(next_before, t - 3);
    recurrence.next(at.count(alive_at(plan, t)));
  }
}

}  // namespace elman::cuda
