// The forward time loop: for each step, for each group of units, for each few rows, one register tile
// that adds the products of x and h to the biases and runs the cell on what it holds.
#pragma once

#include "machine/threads.h"
#include "recurrent/pack.h"
#include "recurrent/rows.h"
#include "tile/tile.h"

namespace elman {
namespace {

// The x-part of a slot can be computed with the h-part, or ahead of it for many steps at once into the
// slots buffer. Both add the same terms in the same order, so the bits are the same.
enum class Phase { whole, ahead, after };

template <class Cell, class T, int L, int R, int W>
void forward_tile(const ForwardJob<T>& job, const RowPointers<T>& rows, int row, int group, Phase phase) {
  using V = Vec<T, L>;
  constexpr int S = Cell::slots, states = Cell::states;
  const int I = job.I, H = job.H, unit = group * L;
  const std::ptrdiff_t stride = group_rows<Cell>(I, H) * L;
  const T* weights = job.packed + group * stride;
  const Extent extent{H - unit};

  if (job.keep) {
    unroll<R>([&](auto r) ELMAN_INLINED {
      unroll<S>([&](auto s) ELMAN_INLINED { prefetch(rows.slots[row + r] + s * H + unit); });
      unroll<states>([&](auto k) ELMAN_INLINED { prefetch(rows.after[k][row + r] + unit); });
    });
  }

  V acc[R][W][S];
  if (phase == Phase::after) {
    unroll<R>([&](auto r) ELMAN_INLINED {
      unroll<W>([&](auto w) ELMAN_INLINED {
        unroll<S>([&](auto s) ELMAN_INLINED {
          acc[r][w][s] = extent.load_at<V>(rows.slots[row + r] + s * H + unit, w);
        });
      });
    });
  } else {
    unroll<W>([&](auto w) ELMAN_INLINED {
      unroll<S>([&](auto s) ELMAN_INLINED {
        const V bias = load<V>(weights + w * stride + s * L);
        unroll<R>([&](auto r) ELMAN_INLINED { acc[r][w][s] = bias; });
      });
    });
    accumulate<Cell::x.begin, Cell::x.end>(acc, RowInputs<T, R>(rows.x + row), I, weights + S * L, stride);
  }
  if (phase != Phase::ahead) {
    weights += S * L + std::ptrdiff_t{I} * Cell::x.count() * L;
    accumulate<Cell::h.begin, Cell::h.end>(acc, RowInputs<T, R>(rows.h_in + row), H, weights, stride);
    unroll<R>([&](auto r) ELMAN_INLINED {
      unroll<W>([&](auto w) ELMAN_INLINED {
        V state[states];
        unroll<states>(
            [&](auto k) ELMAN_INLINED { state[k] = extent.load_at<V>(rows.before[k][row + r] + unit, w); });
        Cell::forward(acc[r][w], state);
        unroll<states>([&](auto k)
                           ELMAN_INLINED { extent.store_at(rows.after[k][row + r] + unit, w, state[k]); });
      });
    });
    if (!job.keep) return;
  }
  unroll<R>([&](auto r) ELMAN_INLINED {
    unroll<W>([&](auto w) ELMAN_INLINED {
      unroll<S>([&](auto s)
                    ELMAN_INLINED { extent.store_at(rows.slots[row + r] + s * H + unit, w, acc[r][w][s]); });
    });
  });
}

// All units of the piece for `count` rows, from the last to the first if `turned`.
template <class Cell, class T, int L, int Registers>
void forward_rows(const ForwardJob<T>& job, const Piece& piece, const RowPointers<T>& rows, int count,
                  Phase phase, bool turned) {
  constexpr int usual = tile_columns / Cell::slots, most = max_rows<Registers, tile_columns>;
  const auto tiles = [&](auto Widest, int first, int width) ELMAN_INLINED {
    if (turned) first = piece.group_begin + piece.group_end - first - width;
    with_constant<Widest>(width, [&](auto W) {
      split_evenly(0, count, W > usual ? 1 : most, [&](int row, int size) {
        with_constant<(W > usual ? 1 : most)>(
            size, [&](auto R) { forward_tile<Cell, T, L, R, W>(job, rows, row, first, phase); });
      });
    });
  };
  // A single row has too few accumulators to hide the latency of the multiply-add: it takes two vectors.
  constexpr int alone = usual == 1 ? 2 : usual;
  if (count == 1) {
    split_evenly(piece.group_begin, piece.group_end, alone,
                 [&](int first, int width) { tiles(std::integral_constant<int, alone>{}, first, width); });
  } else {
    split_evenly(piece.group_begin, piece.group_end, usual,
                 [&](int first, int width) { tiles(std::integral_constant<int, usual>{}, first, width); });
  }
}

// What a thread does for its piece of a layer and direction.
template <class Cell, class T, int L, int Registers> class ForwardScan {
 public:
  ForwardScan(const ForwardJob<T>& job, const Piece& piece) : job_(job), piece_(piece), plan_(job.plan) {
    int room = piece.segments;
    if (job.chunk) room *= job.chunk;
    rows_ = carve<T>(piece.scratch, room, Cell::states);
    if (!job.factors) rows_.h_in = rows_.before[0];
    unit_begin_ = piece.group_begin * L;
    unit_end_ = piece.group_end * L < job.H ? piece.group_end * L : job.H;
  }

  void run() {
    const FlushDenormals flush;
    const int ahead = job_.chunk ? job_.chunk : 1;
    const int end = job_.t_end < plan_.steps ? job_.t_end : plan_.steps;
    if (job_.factors && job_.t_begin == 0) {
      mask(0);
      if (piece_.barrier) piece_.barrier->wait();
    }
    for (int t0 = job_.t_begin; t0 < end && alive(t0) > 0; t0 += ahead) {
      const int t1 = ahead < end - t0 ? t0 + ahead : end;
      if (job_.chunk) compute_ahead(t0, t1);
      for (int t = t0; t < t1 && alive(t) > 0; ++t) {
        step(t, t0);
        if (job_.factors) mask(t + 1);
        finish(t);
        if (piece_.barrier) piece_.barrier->wait();
      }
    }
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
  T* masked_row(int t, int s) const { return job_.masked + entry(t, s) * job_.H; }

  // The slots of segment s at step t; without a tape they live in a buffer of one chunk.
  T* slots_row(int t, int s, int t0) const {
    const std::ptrdiff_t at = job_.keep ? entry(t, s) : std::ptrdiff_t{t - t0} * plan_.segments + s;
    return job_.slots + at * Cell::slots * job_.H;
  }

  void compute_ahead(int t0, int t1) {
    int count = 0;
    for (int t = t0; t < t1; ++t) {
      for (int i = 0, n = alive(t); i < n; ++i, ++count) {
        rows_.x[count] = x_row(t, piece_.segment(i));
        rows_.slots[count] = slots_row(t, piece_.segment(i), t0);
      }
    }
    forward_rows<Cell, T, L, Registers>(job_, piece_, rows_, count, Phase::ahead, false);
  }

  void step(int t, int t0) {
    const int count = alive(t);
    for (int i = 0; i < count; ++i) {
      const int s = piece_.segment(i);
      rows_.x[i] = x_row(t, s);
      if (job_.factors) rows_.h_in[i] = masked_row(t, s);
      if (job_.keep || job_.chunk) rows_.slots[i] = slots_row(t, s, t0);
      unroll<Cell::states>([&](auto k) ELMAN_INLINED {
        rows_.before[k][i] = before(k, t, s);
        rows_.after[k][i] = after(k, t, s);
      });
    }
    const Phase phase = job_.chunk ? Phase::after : Phase::whole;
    forward_rows<Cell, T, L, Registers>(job_, piece_, rows_, count, phase, job_.turned != (t % 2 != 0));
  }

  // This piece's units of h as the products of step t will read it.
  void mask(int t) {
    using V = Vec<T, L>;
    for (int i = 0, n = alive(t); i < n; ++i) {
      const int s = piece_.segment(i);
      const T *h = before(0, t, s), *factors = factors_row(plan_, job_.factors, s, job_.H);
      T* to = masked_row(t, s);
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
      for (int k = 0; k < Cell::states; ++k) {
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
  RowPointers<T> rows_;
  int unit_begin_, unit_end_;
};

template <class Cell, class T, int L, int Registers>
void forward(const ForwardJob<T>& job, const Piece& piece) {
  ForwardScan<Cell, T, L, Registers>(job, piece).run();
}

}  // namespace
}  // namespace elman
