// The backward time loop, the mirror of scan.h: from the last step to the first, the gradient of h is what
// comes from above, what the cell passes on directly, and the product of the next step's slot gradients
// with the recurrent weights (times the factors, if h had any there); the cell's backward then turns the
// tape's activations into slot gradients.
#pragma once

#include "machine/threads.h"
#include "recurrent/rows.h"
#include "tile/product.h"

namespace elman {
namespace {

template <class Cell, class T, int L, int Registers> class BackwardScan {
 public:
  BackwardScan(const BackwardJob<T>& job, const Piece& piece) : job_(job), piece_(piece), plan_(job.plan) {
    rows_ = carve<T>(piece.scratch, piece.segments, 0);
    unit_begin_ = piece.group_begin * L;
    unit_end_ = piece.group_end * L < job.H ? piece.group_end * L : job.H;
  }

  void run() {
    const FlushDenormals flush;
    int t = job_.t_end - 1;
    while (t >= job_.t_begin && alive(t) == 0) --t;
    for (; t >= job_.t_begin; --t) {
      const int going_on = alive(t + 1), count = alive(t);
      through_weights(t + 1, going_on);
      for (int i = going_on; i < count; ++i) begin_segment(piece_.segment(i));
      for (int i = 0; i < count; ++i) cell_backward(t, piece_.segment(i));
      if (piece_.barrier) piece_.barrier->wait();
    }
    if (job_.t_begin > 0) return;
    through_weights(0, alive(0));
    for (int i = 0; i < alive(0); ++i) end_segment(piece_.segment(i));
  }

 private:
  int alive(int t) const { return alive_segments(plan_, piece_, t); }
  std::ptrdiff_t entry(int t, int s) const { return static_cast<std::ptrdiff_t>(plan_.offset[t]) + s; }
  T* through_row(int s) const { return job_.through + std::ptrdiff_t{s} * job_.H; }
  T* carry_row(int k, int s) const { return job_.carry[k] + std::ptrdiff_t{s} * job_.H; }

  // Where segment s found and left its state k at step t.
  const T* before(int k, int t, int s) const {
    return t ? after(k, t - 1, s) : initial_row(plan_, job_.initial[k], job_.zeros, s, job_.H);
  }
  const T* after(int k, int t, int s) const {
    if (k == 0) return job_.y + std::ptrdiff_t{plan_.index[entry(t, s)]} * job_.y_stride;
    return job_.states[k] + entry(t, s) * job_.H;
  }

  // carry[h] += slot gradients of step t times the recurrent weights, times the factors if there are any.
  void through_weights(int t, int count) {
    const int H = job_.H;
    const bool direct = !job_.factors;
    const T** const from = rows_.x;
    T** const to = rows_.slots;
    for (int i = 0; i < count; ++i) {
      const int s = piece_.segment(i);
      from[i] = job_.slots + (entry(t, s) * Cell::slots + Cell::h.begin) * H;
      to[i] = direct ? carry_row(0, s) : through_row(s);
    }
    multiply_rows<T, L, Registers>(from, to, count, Cell::h.count() * H, job_.packed, H, piece_.group_begin,
                                   piece_.group_end, direct);
    for (int i = 0; !direct && i < count; ++i) add_masked(piece_.segment(i));
  }

  void add_masked(int s) {
    using V = Vec<T, L>;
    const T *factors = factors_row(plan_, job_.factors, s, job_.H), *from = through_row(s);
    T* to = carry_row(0, s);
    for (int u = unit_begin_; u < unit_end_; u += L) {
      const Extent extent{job_.H - u};
      const V factor = extent.load_at<V>(factors + u, 0), sum = extent.load_at<V>(to + u, 0);
      extent.store_at(to + u, 0, mul_add(factor, extent.load_at<V>(from + u, 0), sum));
    }
  }

  void begin_segment(int s) {
    const int b = plan_.finish[s];
    for (int k = 0; k < Cell::states; ++k) {
      const T* from = b >= 0 && job_.dfinal[k] ? job_.dfinal[k] + std::ptrdiff_t{b} * job_.H : job_.zeros;
      for (int u = unit_begin_; u < unit_end_; ++u) carry_row(k, s)[u] = from[u];
    }
  }

  void end_segment(int s) {
    if (plan_.start[s] < 0) return;
    for (int k = 0; k < Cell::states; ++k) {
      T* to = job_.dinitial[k] + std::ptrdiff_t{plan_.start[s]} * job_.H;
      for (int u = unit_begin_; u < unit_end_; ++u) to[u] = carry_row(k, s)[u];
    }
  }

  void cell_backward(int t, int segment) {
    using V = Vec<T, L>;
    constexpr int S = Cell::slots, states = Cell::states;
    const int H = job_.H;
    const std::ptrdiff_t e = entry(t, segment);
    const T *s_row[states], *s1_row[states];
    T* d_row[states];
    unroll<states>([&](auto k) ELMAN_INLINED {
      s_row[k] = before(k, t, segment);
      s1_row[k] = after(k, t, segment);
      d_row[k] = carry_row(k, segment);
    });
    const T* dy = job_.dy ? job_.dy + std::ptrdiff_t{plan_.index[e]} * job_.dy_stride : job_.zeros;
    T* slots = job_.slots + e * S * H;
    for (int u = unit_begin_; u < unit_end_; u += L) {
      const Extent extent{H - u};
      V a[S], s[states], s1[states], d[states];
      unroll<S>([&](auto i) ELMAN_INLINED { a[i] = extent.load_at<V>(slots + i * H + u, 0); });
      unroll<states>([&](auto k) ELMAN_INLINED {
        s[k] = extent.load_at<V>(s_row[k] + u, 0);
        s1[k] = extent.load_at<V>(s1_row[k] + u, 0);
        d[k] = extent.load_at<V>(d_row[k] + u, 0);
      });
      d[0] = d[0] + extent.load_at<V>(dy + u, 0);
      Cell::backward(a, s, s1, d);
      unroll<S>([&](auto i) ELMAN_INLINED { extent.store_at(slots + i * H + u, 0, a[i]); });
      unroll<states>([&](auto k) ELMAN_INLINED { extent.store_at(d_row[k] + u, 0, d[k]); });
    }
  }

  const BackwardJob<T>& job_;
  const Piece& piece_;
  const PlanView& plan_;
  RowPointers<T> rows_;
  int unit_begin_, unit_end_;
};

template <class Cell, class T, int L, int Registers>
void backward(const BackwardJob<T>& job, const Piece& piece) {
  BackwardScan<Cell, T, L, Registers>(job, piece).run();
}

}  // namespace
}  // namespace elman
