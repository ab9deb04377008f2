// The forward scan of a layer: one kernel for every cell, type and schedule.
#pragma once

#include "gather.h"

namespace elman::cuda {

template <class Cell, class T, int N, Exchange exchange>
ELMAN_KERNEL void ELMAN_LAUNCH_BOUNDS(most_threads) forward(ELMAN_PARAMETER Job<ForwardSide<T>> job) {
  static_assert(Cell::vectors == 0 && Cell::stages == 1, "the GPU has no vectors and no second stage yet");
  constexpr Feed fed_x = Cell::x, fed_h = Cell::h;
  constexpr int S = Cell::slots, states = Cell::states, gates = Cell::gates, X = fed_x.count(),
                M = fed_h.count();
  const Place at(job.layout, job.H);
  const ForwardSide<T>& side = job.side[at.direction];
  const PlanView& plan = side.plan;
  const Access rows{job.H, job.paired};
  const int H = job.H, unit = at.unit, steps = job.t_end;
  int t = job.t_begin;

  const auto weight = [&](int g, int m, int row, int k) {
    const int u = at.first_unit(g) + unit_of_row(row);
    return u < H ? rows.load(side.weight + (int64_t{gate_of(fed_h, m)} * H + u) * H, k) : Pair<T>{};
  };
  const auto input = [&](int column, int k) {
    const int r = at.row(column);
    if (r >= alive_at(plan, t)) return Pair<T>{};
    if (t) return rows.load(side.y + plan.index[plan.offset[t - 1] + r] * job.y_stride, k);
    const int b = plan.start[r];
    return b >= 0 && side.initial[0] ? rows.load(side.initial[0] + int64_t{b} * H, k) : Pair<T>{};
  };
  Gather<T, M, N, exchange> recurrence(at, 1, H, job.words);
  recurrence.begin(weight, input);

  // This warp's tile: the lane's two rows j, of each the two units e.
  float bias[M][2], state[2][states][2];  // state[j][k][e]
  ELMAN_UNROLL
  for (int m = 0; m < M; ++m) {
    const Two two = side.bias ? widen(rows.load(side.bias + gate_of(fed_h, m) * H, unit)) : Two{0, 0};
    bias[m][0] = two.x, bias[m][1] = two.y;
  }
  const auto carried = [&](int k, int r) { return side.carry + (int64_t{k} * plan.segments + r) * H; };
  ELMAN_UNROLL
  for (int j = 0; j < 2; ++j) ELMAN_UNROLL
  for (int k = 0; k < states; ++k) {
    const int r = at.row(at.column(j));
    Two two{0, 0};
    if (at.split < N && r < alive_at(plan, t)) {
      const int b = plan.start[r];
      if (t) two = widen(rows.load(carried(k, r), unit));
      else if (b >= 0 && side.initial[k]) two = widen(rows.load(side.initial[k] + int64_t{b} * H, unit));
    }
    state[j][k][0] = two.x, state[j][k][1] = two.y;
  }

  // What comes from memory is asked for a step before it is needed, the addresses a step before that.
  int row[2], next_row[2];
  Pair<T> products[2][X];
  const auto find_rows = [&](int (&to)[2], int step) {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      const int r = at.row(at.column(j));
      const bool there = step < steps && at.split < N && r < alive_at(plan, step);
      to[j] = there ? plan.index[plan.offset[step] + r] : -1;
    }
  };
  const auto load_products = [&] {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) ELMAN_UNROLL
    for (int s = 0; s < X; ++s)
      if (row[j] >= 0)
        products[j][s] = rows.load(side.products + (int64_t{row[j]} * gates + gate_of(fed_x, s)) * H, unit);
  };
  find_rows(row, t);
  find_rows(next_row, t + 1);
  load_products();

  for (; t < steps; ++t) {
    const int count = at.count(alive_at(plan, t)), left = alive_at(plan, t + 1);
    if (count == 0) return;
    Sums sums[M] = {};
    recurrence.take(sums, weight, input, count);
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      if (row[j] < 0 || unit >= H) continue;
      const int64_t at_row = row[j];
      const int r = at.row(at.column(j));
      float a[2][S] = {}, s[2][states];
      ELMAN_UNROLL
      for (int x = 0; x < X; ++x) {
        const Two two = widen(products[j][x]);
        a[0][fed_x.begin + x] = two.x, a[1][fed_x.begin + x] = two.y;
      }
      ELMAN_UNROLL
      for (int e = 0; e < 2; ++e) {
        ELMAN_UNROLL
        for (int m = 0; m < M; ++m) a[e][fed_h.begin + m] += sums[m][2 * e + j] + bias[m][e];
        ELMAN_UNROLL
        for (int k = 0; k < states; ++k) s[e][k] = state[j][k][e];
        Cell{}.forward(a[e], s[e], static_cast<const float*>(nullptr));
      }
      const Pair<T> h = narrow<T>(s[0][0], s[1][0]);
      s[0][0] = to_float(h.x), s[1][0] = to_float(h.y);  // as every reader of it will have it
      ELMAN_UNROLL
      for (int k = 0; k < states; ++k) state[j][k][0] = s[0][k], state[j][k][1] = s[1][k];
      if (t + 1 < steps && r < left) recurrence.pass_on(at.column(j), 0, unit, h);
      rows.store(side.y + at_row * job.y_stride, unit, h);
      if (side.slots) {
        ELMAN_UNROLL
        for (int i = 0; i < S; ++i)
          rows.store(side.slots + (at_row * S + i) * H, unit, narrow<T>(a[0][i], a[1][i]));
        ELMAN_UNROLL
        for (int k = 1; k < states; ++k)
          rows.store(side.states[k] + at_row * H, unit, Pair<float>{s[0][k], s[1][k]});
      }
      if (r >= left) {
        const int b = plan.finish[r];
        ELMAN_UNROLL
        for (int k = 0; k < states; ++k)
          if (b >= 0 && side.final[k])
            rows.store(side.final[k] + int64_t{b} * H, unit, narrow<T>(s[0][k], s[1][k]));
      } else if (t + 1 == steps) {
        ELMAN_UNROLL
        for (int k = 0; k < states; ++k) rows.store(carried(k, r), unit, Pair<float>{s[0][k], s[1][k]});
      }
    }
    if (t + 1 == steps) return;
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) row[j] = next_row[j];
    load_products();
    find_rows(next_row, t + 2);
    recurrence.next(at.count(left));
  }
}

}  // namespace elman::cuda
