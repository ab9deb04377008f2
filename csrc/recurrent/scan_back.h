// The backward time loop, the mirror of scan.h, from the last step to the first. The gradient of h is the sum
// of three: what comes from above, what the cell passes on directly, and the product of the next step's slot
// gradients with the recurrent weights (times the factors, if h had any there). Then the cell's backward
// (compiled_backward.h, programs/backward.h) turns the tape into slot gradients.
#pragma once

#include "machine/barrier.h"
#include "recurrent/back_rows.h"

namespace elman {
namespace {

// `Cell`: what runs the cell within a step.
template <class Cell, class T, int L, int Registers> class BackwardScan {
 public:
  BackwardScan(const BackwardJob<T>& job, const Piece& piece, int columns, int states, int stages)
      : job_(job), piece_(piece), plan_(job.plan), at_(job, piece, columns, states, stages), cell_(at_) {}

  void run() {
    const FlushDenormals flush;
    int t = job_.t_end - 1;
    while (t >= job_.t_begin && at_.alive(t) == 0) --t;
    if (elementwise()) {
      for (int end = t + 1, begin; end > job_.t_begin; end = begin) {
        begin = end - job_.chunk > job_.t_begin ? end - job_.chunk : job_.t_begin;
        if constexpr (Cell::programs) take_chunk(begin, end);
      }
    } else {
      for (; t >= job_.t_begin; --t) take_step(t);
    }
    if (job_.t_begin > 0) return;
    if (job_.packed[0]) h_gradient(0, at_.alive(0));
    for (int i = 0; i < at_.alive(0); ++i) end_segment(piece_.segment(i));
  }

 private:
  bool elementwise() const {
    if constexpr (Cell::programs) return cell_.elementwise;
    else return false;
  }
  bool carried(int k) const { return !elementwise() || job_.cell->facts.carried[k]; }

  void take_step(int t) {
    const int going_on = at_.alive(t + 1), count = at_.alive(t);
    h_gradient(t + 1, going_on);
    for (int i = going_on; i < count; ++i) begin_segment(piece_.segment(i));
    cell_.run(t, count);
    if (piece_.barrier) piece_.barrier->wait(piece_.member);
  }

  // Of an elementwise cell: all but the recurrence is done for all steps at once.
  void take_chunk(int begin, int end) {
    int count = 0;
    for (int t = begin; t < end; ++t)
      for (int i = 0, n = at_.alive(t); i < n; ++i) cell_.find_rows(t, i, count++, t - begin);
    cell_.run_rows(2, 0, count);
    for (int t = end - 1, row = count; t >= begin; --t) {
      const int n = at_.alive(t);
      for (int i = at_.alive(t + 1); i < n; ++i) begin_segment(piece_.segment(i));
      cell_.run_rows(1, row -= n, n);
    }
    cell_.run_rows(0, 0, count);
  }

  using V = Vec<T, L>;

  // carry[h] += slot gradients of step t times the recurrent weights, times the factors if there are any.
  void h_gradient(int t, int count) {
    const Feed& feed = cell_.h();
    if (feed.count() == 0) return;
    const auto through = [&](bool add, const auto& to) {
      at_.through_weights(feed, job_.packed[0], t, count, add, to);
    };
    if (!job_.factors) return through(true, [&](int s) { return at_.carry_row(0, s); });
    through(false, [&](int s) { return at_.d_read_row(0, s); });
    for (int i = 0; i < count; ++i) add_masked(piece_.segment(i));
  }

  void add_masked(int s) {
    const T *factors = factors_row(plan_, job_.factors, s, job_.H), *from = at_.d_read_row(0, s);
    T* to = at_.carry_row(0, s);
    for (int u = at_.unit_begin; u < at_.unit_end; u += L) {
      const Extent extent{job_.H - u};
      const V factor = extent.load_at<V>(factors + u, 0), sum = extent.load_at<V>(to + u, 0);
      extent.store_at(to + u, 0, mul_add(factor, extent.load_at<V>(from + u, 0), sum));
    }
  }

  void begin_segment(int s) {
    for (int k = 0; k < cell_.states; ++k) {
      const T* from = carried(k) ? final_gradient(job_, k, s) : job_.zeros;
      for (int u = at_.unit_begin; u < at_.unit_end; ++u) at_.carry_row(k, s)[u] = from[u];
    }
  }

  void end_segment(int s) {
    if (plan_.start[s] < 0) return;
    for (int k = 0; k < cell_.states; ++k) {
      if (!job_.dinitial[k]) continue;
      T* to = job_.dinitial[k] + std::ptrdiff_t{plan_.start[s]} * job_.H;
      for (int u = at_.unit_begin; u < at_.unit_end; ++u) to[u] = at_.carry_row(k, s)[u];
    }
  }

  const BackwardJob<T>& job_;
  const Piece& piece_;
  const PlanView& plan_;
  const BackRows<T, L, Registers> at_;
  Cell cell_;
};

}  // namespace
}  // namespace elman
