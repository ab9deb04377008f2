// The forward time loop: for each step, the rows of a piece's segments, and the states that they find and
// leave. What happens within a step is the cell's (compiled_forward.h, programs/forward.h).
#pragma once

#include "machine/barrier.h"
#include "recurrent/phase.h"
#include "recurrent/rows.h"

namespace elman {
namespace {

// What a thread does for its piece of a layer and direction.
template <class Cell, class T, int L> class ForwardScan {
 public:
  ForwardScan(const ForwardJob<T>& job, const Piece& piece)
      : job_(job), piece_(piece), plan_(job.plan), cell_(job, piece) {
    int room = piece.segments;
    if (job.chunk) room *= job.chunk;
    rows_ = carve<T>(piece.scratch, room, job.cell, cell_.states, cell_.stages);
    if (!job.factors) rows_.read[0] = const_cast<T**>(rows_.before[0]);  // h itself, only read
    unit_begin_ = piece.group_begin * L;
    unit_end_ = piece.group_end * L < job.H ? piece.group_end * L : job.H;
  }

  void run() {
    const FlushDenormals flush;
    const int ahead = job_.chunk ? job_.chunk : 1;
    const int end = job_.t_end < plan_.steps ? job_.t_end : plan_.steps;
    if (job_.factors && job_.t_begin == job_.t_first) {
      mask(job_.t_first);
      if (piece_.barrier) piece_.barrier->wait(piece_.member);
    }
    for (int t0 = job_.t_begin; t0 < end && alive(t0) > 0; t0 += ahead) {
      const int t1 = ahead < end - t0 ? t0 + ahead : end;
      if constexpr (Cell::programs)
        if (cell_.elementwise) {
          take_chunk(t0, t1);
          continue;
        }
      if (job_.chunk) compute_ahead(t0, t1);
      for (int t = t0; t < t1 && alive(t) > 0; ++t) {
        step(t, t0);
        if (job_.factors) mask(t + 1);
        finish(t);
        if (piece_.barrier) piece_.barrier->wait(piece_.member);
      }
    }
    if constexpr (Cell::programs)  // in the same call the next layer may read what all have made
      if (cell_.elementwise && piece_.barrier) piece_.barrier->wait(piece_.member);
  }

 private:
  int alive(int t) const { return alive_segments(plan_, piece_, t); }
  std::ptrdiff_t entry(int t, int s) const { return static_cast<std::ptrdiff_t>(plan_.offset[t]) + s; }
  const T* x_row(int t, int s) const { return job_.x + std::ptrdiff_t{plan_.index[entry(t, s)]} * job_.I; }

  // Where segment s finds and leaves its state k at step t.
  const T* before(int k, int t, int s) const {
    return t ? after(k, t - 1, s) : initial_row(plan_, job_.initial[k], job_.zeros, s, job_.H);
  }
  T* after(int k, int t, int s) const {
    if (k == 0) return job_.y + std::ptrdiff_t{plan_.index[entry(t, s)]} * job_.y_stride;
    return job_.states[k] + (job_.keep ? entry(t, s) : s) * job_.H;
  }
  T* read_row(int stage, int t, int s) const {
    // Without a tape two steps take turns: other threads may still read that of the last one.
    const std::ptrdiff_t turn = std::ptrdiff_t{t % 2} * plan_.segments + s;
    return job_.read[stage] + (job_.keep ? entry(t, s) : turn) * job_.H;
  }

  // The slots of segment s at step t; without a tape they live in a buffer of one chunk.
  T* slots_row(int t, int s, int t0) const {
    const std::ptrdiff_t at = job_.keep ? entry(t, s) : std::ptrdiff_t{t - t0} * plan_.segments + s;
    return job_.slots + at * cell_.columns * job_.H;
  }

  void compute_ahead(int t0, int t1) {
    int count = 0;
    for (int t = t0; t < t1; ++t) {
      for (int i = 0, n = alive(t); i < n; ++i, ++count) {
        rows_.x[count] = x_row(t, piece_.segment(i));
        rows_.slots[count] = slots_row(t, piece_.segment(i), t0);
      }
    }
    cell_.run(rows_, count, Phase::ahead, 0, false);
  }

  // Of an elementwise cell: all but the recurrence is done for all steps at once, and nobody waits.
  void take_chunk(int t0, int t1) {
    int count = 0;
    for (int t = t0; t < t1; ++t) {
      find_rows(t, t0, count);
      count += alive(t);
    }
    cell_.run_rows(rows_, 0, count, Phase::whole, 0, false);
    for (int t = t0, row = 0; t < t1; row += alive(t), ++t) cell_.recur(rows_, row, alive(t));
    cell_.run_rows(rows_, 0, count, Phase::whole, 2, false);
    for (int t = t0; t < t1; ++t) finish(t);
  }

  // Those of a step, from row `to` on.
  void find_rows(int t, int t0, int to) {
    for (int i = 0, count = alive(t); i < count; ++i, ++to) {
      const int s = piece_.segment(i);
      rows_.x[to] = x_row(t, s);
      if (job_.factors) rows_.read[0][to] = read_row(0, t, s);
      if (job_.slots) rows_.slots[to] = slots_row(t, s, t0);
      if constexpr (Cell::programs) find_more(t, s, to, t - t0);
      else
        for (int j = 1; j < cell_.stages; ++j) rows_.read[j][to] = read_row(j, t, s);
      for (int k = 0; k < cell_.states; ++k) {
        rows_.before[k][to] = before(k, t, s);
        rows_.after[k][to] = after(k, t, s);
      }
    }
  }

  void step(int t, int t0) {
    const int count = alive(t);
    find_rows(t, t0, 0);
    for (int stage = 0; stage < cell_.stages; ++stage) {
      if (stage && piece_.barrier) piece_.barrier->wait(piece_.member);
      cell_.run(rows_, count, job_.chunk ? Phase::after : Phase::whole, stage, job_.turned != (t % 2 != 0));
    }
    if constexpr (Cell::programs)
      if (job_.statistics && piece_.member == 0) keep_statistics(t, count);
  }

  // What only cells with programs have. By itself, or the compiler would make a copy of the loop around it
  // for each case.
  __attribute__((noinline)) void find_more(int t, int s, int to, int since) {
    for (int j = 1; j < cell_.stages; ++j)
      if (job_.read[j]) rows_.read[j][to] = read_row(j, t, s);
    const std::ptrdiff_t left = cell_.elementwise ? std::ptrdiff_t{since} * plan_.segments + s : s;
    if (job_.left) rows_.left[to] = job_.left + left * job_.cell->facts.left * job_.H;
    if (job_.scalars) rows_.scalars[to] = scalars_row(job_, entry(t, s));
    if (job_.draws.on) rows_.keys[to] = row_key(job_, entry(t, s));
  }

  // All who share the units have computed the same.
  void keep_statistics(int t, int count) const {
    const int kept = job_.cell->facts.statistics, each = job_.cell->statistics;
    for (int i = 0; i < count; ++i)
      for (int n = 0; n < kept; ++n)
        job_.statistics[entry(t, piece_.segment(i)) * kept + n] =
            rows_.statistics[std::ptrdiff_t{i} * each + n];
  }

  // This piece's units of h as the products of step t will read it.
  void mask(int t) {
    using V = Vec<T, L>;
    for (int i = 0, n = alive(t); i < n; ++i) {
      const int s = piece_.segment(i);
      const T *h = before(0, t, s), *factors = factors_row(plan_, job_.factors, s, job_.H);
      T* to = read_row(0, t, s);
      for (int u = unit_begin_; u < unit_end_; u += L) {
        const Extent extent{job_.H - u};
        extent.store_at(to + u, 0, extent.load_at<V>(h + u, 0) * extent.load_at<V>(factors + u, 0));
      }
    }
  }

  // Hands out the states of the segments whose last step was t.
  void finish(int t) {
    for (int i = alive(t + 1), n = alive(t); i < n; ++i) {
      const int s = piece_.segment(i);
      if (plan_.finish[s] < 0) continue;
      for (int k = 0; k < cell_.states; ++k) {
        if (!job_.final[k]) continue;
        const T* from = after(k, t, s);
        T* to = job_.final[k] + std::ptrdiff_t{plan_.finish[s]} * job_.H;
        for (int u = unit_begin_; u < unit_end_; ++u) to[u] = from[u];
      }
    }
  }

  const ForwardJob<T>& job_;
  const Piece& piece_;
  const PlanView& plan_;
  Cell cell_;
  RowPointers<T> rows_;
  int unit_begin_, unit_end_;
};

// `Cell`: what runs the cell within a step.
template <class Cell, class T, int L> void forward(const ForwardJob<T>& job, const Piece& piece) {
  ForwardScan<Cell, T, L>(job, piece).run();
}

}  // namespace
}  // namespace elman
