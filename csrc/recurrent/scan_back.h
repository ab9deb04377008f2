// The backward time loop, the mirror of scan.h, from the last step to the first. The gradient of h is the sum
// of three: what comes from above, what the cell passes on directly, and the product of the next step's slot
// gradients with the recurrent weights (times the factors, if h had any there). Then the cell's backward
// turns the tape's activations into slot gradients.
#pragma once

#include "machine/barrier.h"
#include "recurrent/rows.h"
#include "tile/product.h"

namespace elman {
namespace {

// Whether the product of a later stage feeds the slot.
template <class Cell> constexpr bool fed_after(int stage, int slot) {
  for (int j = stage + 1; j < Cell::stages; ++j)
    if (Cell::facts.stage(j).feeds(slot)) return true;
  return false;
}

template <class Cell, class T, int L, int Registers> class BackwardScan {
 public:
  BackwardScan(const BackwardJob<T>& job, const Piece& piece)
      : job_(job), piece_(piece), plan_(job.plan), cell_(make_cell<Cell>(job.program)) {
    rows_ = carve<T>(piece.scratch, piece.segments, 0, 0);
    unit_begin_ = piece.group_begin * L;
    unit_end_ = piece.group_end * L < job.H ? piece.group_end * L : job.H;
  }

  void run() {
    const FlushDenormals flush;
    int t = job_.t_end - 1;
    while (t >= job_.t_begin && alive(t) == 0) --t;
    for (; t >= job_.t_begin; --t) {
      const int going_on = alive(t + 1), count = alive(t);
      h_gradient(t + 1, going_on);
      for (int i = going_on; i < count; ++i) begin_segment(piece_.segment(i));
      const bool fetch = t > job_.t_begin && fetches(count);
      for (int i = 0; i < count; ++i) cell_backward(t, piece_.segment(i), fetch);
      // Back through what each stage but the last passed on, from the last to the first.
      unroll<Cell::stages - 1>([&](auto i) ELMAN_INLINED { stage_backward<Cell::stages - 2 - i>(t, count); });
      if (piece_.barrier) piece_.barrier->wait(piece_.member);
    }
    if (job_.t_begin > 0) return;
    if (job_.packed[0]) h_gradient(0, alive(0));
    for (int i = 0; i < alive(0); ++i) end_segment(piece_.segment(i));
  }

 private:
  using V = Vec<T, L>;
  int alive(int t) const { return alive_segments(plan_, piece_, t); }
  std::ptrdiff_t entry(int t, int s) const { return static_cast<std::ptrdiff_t>(plan_.offset[t]) + s; }
  T* d_read_row(int stage, int s) const { return job_.d_read[stage] + std::ptrdiff_t{s} * job_.H; }
  T* carry_row(int k, int s) const { return job_.carry[k] + std::ptrdiff_t{s} * job_.H; }

  // to (+)= the slot gradients of step t that the product of a stage feeds, times that stage's weights.
  template <class To> void through_weights(int stage, int t, int count, bool add, const To& to_row) {
    const int H = job_.H;
    const Feed& feed = Cell::facts.stage(stage);
    const T** const from = rows_.x;
    T** const to = rows_.slots;
    for (int i = 0; i < count; ++i) {
      const int s = piece_.segment(i);
      from[i] = job_.slots + (entry(t, s) * Cell::slots + feed.begin) * H;
      to[i] = to_row(s);
    }
    multiply_rows<T, L, Registers>(from, to, count, feed.count() * H, job_.packed[stage], H,
                                   piece_.group_begin, piece_.group_end, add);
  }

  // carry[h] += slot gradients of step t times the recurrent weights, times the factors if there are any.
  void h_gradient(int t, int count) {
    if (!job_.factors) return through_weights(0, t, count, true, [&](int s) { return carry_row(0, s); });
    through_weights(0, t, count, false, [&](int s) { return d_read_row(0, s); });
    for (int i = 0; i < count; ++i) add_masked(piece_.segment(i));
  }

  void add_masked(int s) {
    const T *factors = factors_row(plan_, job_.factors, s, job_.H), *from = d_read_row(0, s);
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
      if (!job_.dinitial[k]) continue;
      T* to = job_.dinitial[k] + std::ptrdiff_t{plan_.start[s]} * job_.H;
      for (int u = unit_begin_; u < unit_end_; ++u) to[u] = carry_row(k, s)[u];
    }
  }

  // Where one step of a segment lies: its rows, and what the cell works on, for the units from u on.
  struct Step {
    const T *before[Cell::states], *after[Cell::states];
    T *d[Cell::states], *slots;
  };
  struct Unit {
    V a[Cell::slots], s[Cell::states], d[Cell::states];
    CellVectors<Cell, V> v;
  };

  Step rows_of(int t, int s) const {
    Step step;
    unroll<Cell::states>([&](auto k) ELMAN_INLINED {
      step.before[k] = state_before(job_, k, t, s);
      step.after[k] = state_after(job_, k, t, s);
      step.d[k] = carry_row(k, s);
    });
    step.slots = job_.slots + entry(t, s) * Cell::slots * job_.H;
    return step;
  }

  ELMAN_INLINE Unit load_unit(const Step& step, int u, const Extent& extent) const {
    Unit x;
    unroll<Cell::slots>([&](auto i)
                            ELMAN_INLINED { x.a[i] = extent.load_at<V>(step.slots + i * job_.H + u, 0); });
    unroll<Cell::states>([&](auto k) ELMAN_INLINED {
      x.s[k] = extent.load_at<V>(step.before[k] + u, 0);
      x.d[k] = extent.load_at<V>(step.d[k] + u, 0);
    });
    unroll<Cell::vectors>([&](auto k) ELMAN_INLINED {
      x.v.of[k] = extent.load_at<V>((job_.vectors[k] ? job_.vectors[k] : job_.zeros) + u, 0);
    });
    return x;
  }

  // Writes what the backward of `stage` has made. Slots that later stages feed stay as they are.
  template <int stage>
  ELMAN_INLINE void store_unit(const Step& step, int u, const Extent& extent, const Unit& x) const {
    unroll<Cell::slots>([&](auto i) ELMAN_INLINED {
      if constexpr (!fed_after<Cell>(stage, i)) extent.store_at(step.slots + i * job_.H + u, 0, x.a[i]);
    });
    unroll<Cell::states>([&](auto k) ELMAN_INLINED { extent.store_at(step.d[k] + u, 0, x.d[k]); });
  }

  const T* dy_row(int t, int segment) const {
    return job_.dy ? job_.dy + std::ptrdiff_t{plan_.index[entry(t, segment)]} * job_.dy_stride : job_.zeros;
  }

  // Whether so few numbers are read at a step that the step before can be fetched meanwhile. The tape is read
  // from its end, a step at a time, and the processor foresees only what comes after (H 18, B 16: the scan
  // waited for memory half of the time). Of long steps it foresees most.
  bool fetches(int count) const {
    constexpr std::ptrdiff_t most_bytes = 48 << 10, row = (Cell::slots + Cell::states + 1) * sizeof(T);
    return std::ptrdiff_t{count} * (unit_end_ - unit_begin_) * row <= most_bytes;
  }

  void cell_backward(int t, int segment, bool fetch) {
    const Step step = rows_of(t, segment);
    const Step before = rows_of(fetch ? t - 1 : t, segment);
    const T *const dy = dy_row(t, segment), *const dy_before = dy_row(fetch ? t - 1 : t, segment);
    for (int u = unit_begin_; u < unit_end_; u += L) {
      const Extent extent{job_.H - u};
      if (fetch) {
        unroll<Cell::slots>([&](auto i) ELMAN_INLINED { prefetch_for_write(before.slots + i * job_.H + u); });
        unroll<Cell::states>([&](auto k) ELMAN_INLINED { prefetch_for_write(before.before[k] + u); });
        prefetch_for_write(dy_before + u);
      }
      Unit x = load_unit(step, u, extent);
      V after[Cell::states];
      unroll<Cell::states>([&](auto k) ELMAN_INLINED { after[k] = extent.load_at<V>(step.after[k] + u, 0); });
      x.d[0] = x.d[0] + extent.load_at<V>(dy + u, 0);
      cell_.backward(x.a, x.s, after, x.d, x.v.of);
      store_unit<Cell::stages - 1>(step, u, extent, x);
    }
  }

  // The way back through what a stage passed on.
  template <int stage> void stage_backward(int t, int count) {
    if (piece_.barrier) piece_.barrier->wait(piece_.member);
    const auto d_read = [&](int s) { return d_read_row(stage + 1, s); };
    through_weights(stage + 1, t, count, false, d_read);
    for (int i = 0; i < count; ++i) {
      const int s = piece_.segment(i);
      const Step step = rows_of(t, s);
      for (int u = unit_begin_; u < unit_end_; u += L) {
        const Extent extent{job_.H - u};
        Unit x = load_unit(step, u, extent);
        cell_.pass_back(stage, x.a, x.s, extent.load_at<V>(d_read(s) + u, 0), x.d, x.v.of);
        store_unit<stage>(step, u, extent, x);
      }
    }
  }

  const BackwardJob<T>& job_;
  const Piece& piece_;
  const PlanView& plan_;
  const Cell cell_;
  RowPointers<T> rows_;
  int unit_begin_, unit_end_;
};

template <class Cell, class T, int L, int Registers>
void backward(const BackwardJob<T>& job, const Piece& piece) {
  BackwardScan<Cell, T, L, Registers>(job, piece).run();
}

}  // namespace
}  // namespace elman
