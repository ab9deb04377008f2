// The backward time loop, the mirror of scan.h: from the last step to the first, the gradient of h is what
// comes from above, what the cell passes on directly, and the product of the next step's slot gradients
// with the recurrent weights (times the factors, if h had any there); the cell's backward then turns the
// tape's activations into slot gradients.
#pragma once

#include "machine/barrier.h"
#include "recurrent/rows.h"
#include "tile/product.h"

namespace elman {
namespace {

template <class Cell, class T, int L, int Registers> class BackwardScan {
 public:
  BackwardScan(const BackwardJob<T>& job, const Piece& piece) : job_(job), piece_(piece), plan_(job.plan) {
    rows_ = carve<T>(piece.scratch, piece.rows);
    unit_begin_ = piece.block_begin * L;
    unit_end_ = piece.block_end * L < job.H ? piece.block_end * L : job.H;
  }

  void run() {
    const FlushDenormals flush;
    int t = job_.t_end - 1;
    while (t >= job_.t_begin && alive(t) == 0) --t;
    for (; t >= job_.t_begin; --t) {
      const int going_on = alive(t + 1), count = alive(t);
      through_weights(t + 1, going_on);
      for (int i = going_on; i < count; ++i) begin_row(piece_.row(i));
      for (int i = 0; i < count; ++i) cell_backward(t, piece_.row(i));
      if (piece_.barrier) piece_.barrier->wait();
    }
    if (job_.t_begin > 0) return;
    through_weights(0, alive(0));
    for (int i = 0; i < alive(0); ++i) end_row(piece_.row(i));
  }

 private:
  int alive(int t) const { return alive_rows(plan_, piece_, t); }
  std::ptrdiff_t packed(int t, int r) const { return static_cast<std::ptrdiff_t>(plan_.offset[t]) + r; }
  const T* h_row(std::ptrdiff_t p) const { return job_.y + std::ptrdiff_t{plan_.index[p]} * job_.y_stride; }
  T* through_row(int r) const { return job_.through + std::ptrdiff_t{r} * job_.H; }
  T* carry_row(int state, int r) const { return job_.carry[state] + std::ptrdiff_t{r} * job_.H; }

  // carry[h] += slot gradients of step t times the recurrent weights, times the factors if there are any.
  void through_weights(int t, int count) {
    const int H = job_.H;
    const bool direct = !job_.factors;
    for (int i = 0; i < count; ++i) {
      const int r = piece_.row(i);
      rows_.x[i] = job_.slots + (packed(t, r) * Cell::slots + Cell::h.begin) * H;
      rows_.y[i] = direct ? carry_row(0, r) : through_row(r);
    }
    multiply_rows<T, L, Registers>(rows_.x, rows_.y, count, Cell::h.count() * H, job_.packed, H,
                                   piece_.block_begin, piece_.block_end, direct);
    for (int i = 0; !direct && i < count; ++i) add_masked(piece_.row(i));
  }

  void add_masked(int r) {
    using V = Vec<T, L>;
    const T *factors = factors_row(plan_, job_.factors, r, job_.H), *from = through_row(r);
    T* to = carry_row(0, r);
    for (int u = unit_begin_; u < unit_end_; u += L) {
      const Extent extent{job_.H - u};
      const V factor = extent.load_at<V>(factors + u, 0), sum = extent.load_at<V>(to + u, 0);
      extent.store_at(to + u, 0, mul_add(factor, extent.load_at<V>(from + u, 0), sum));
    }
  }

  void begin_row(int r) {
    const int b = plan_.finish[r];
    for (int k = 0; k < Cell::states; ++k) {
      const T* from = b >= 0 && job_.dfinal[k] ? job_.dfinal[k] + std::ptrdiff_t{b} * job_.H : job_.zeros;
      for (int u = unit_begin_; u < unit_end_; ++u) carry_row(k, r)[u] = from[u];
    }
  }

  void end_row(int r) {
    if (plan_.start[r] < 0) return;
    for (int k = 0; k < Cell::states; ++k) {
      T* to = job_.dinitial[k] + std::ptrdiff_t{plan_.start[r]} * job_.H;
      for (int u = unit_begin_; u < unit_end_; ++u) to[u] = carry_row(k, r)[u];
    }
  }

  void cell_backward(int t, int r) {
    using V = Vec<T, L>;
    constexpr int S = Cell::slots, states = Cell::states;
    const int H = job_.H;
    const std::ptrdiff_t p = packed(t, r);
    const T *before[max_states], *after[max_states];
    before[0] = t ? h_row(packed(t - 1, r)) : initial_row(plan_, job_.initial[0], job_.zeros, r, H);
    after[0] = h_row(p);
    if constexpr (states > 1) {
      before[1] =
          t ? job_.memory + packed(t - 1, r) * H : initial_row(plan_, job_.initial[1], job_.zeros, r, H);
      after[1] = job_.memory + p * H;
    }
    const T* dy = job_.dy ? job_.dy + std::ptrdiff_t{plan_.index[p]} * job_.dy_stride : job_.zeros;
    T* slots = job_.slots + p * S * H;
    for (int u = unit_begin_; u < unit_end_; u += L) {
      const Extent extent{H - u};
      V a[S], s[max_states], s1[max_states], d[max_states];
      unroll<S>([&](auto i) ELMAN_INLINED { a[i] = extent.load_at<V>(slots + i * H + u, 0); });
      unroll<states>([&](auto k) ELMAN_INLINED {
        s[k] = extent.load_at<V>(before[k] + u, 0);
        s1[k] = extent.load_at<V>(after[k] + u, 0);
        d[k] = extent.load_at<V>(carry_row(k, r) + u, 0);
      });
      d[0] = d[0] + extent.load_at<V>(dy + u, 0);
      Cell::backward(a, s, s1, d);
      unroll<S>([&](auto i) ELMAN_INLINED { extent.store_at(slots + i * H + u, 0, a[i]); });
      unroll<states>([&](auto k) ELMAN_INLINED { extent.store_at(carry_row(k, r) + u, 0, d[k]); });
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
