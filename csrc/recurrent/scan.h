// The forward time loop: for each step, for each vector of units, for each few rows, one register tile
// that adds the products of x and h to the biases and runs the cell on what it holds.
#pragma once

#include "machine/barrier.h"
#include "recurrent/pack.h"
#include "recurrent/rows.h"
#include "tile/tile.h"

namespace elman {
namespace {

// The x-part of a slot can be computed with the h-part, or ahead of it for many steps at once into the
// slots buffer. Both add the same terms in the same order, so the bits are the same.
enum class Phase { whole, ahead, after };

template <class Cell, class T, int L, int R, int W>
void forward_tile(const ForwardJob<T>& job, const RowPointers<T>& rows, int row, int block, Phase phase) {
  using V = Vec<T, L>;
  constexpr int S = Cell::slots;
  const int I = job.I, H = job.H, unit = block * L;
  const std::ptrdiff_t stride = block_rows<Cell>(I, H) * L;
  const T* weights = job.packed + block * stride;
  const Extent extent{H - unit};

  if (job.keep) {
    unroll<R>([&](auto r) ELMAN_INLINED {
      unroll<S>([&](auto s) ELMAN_INLINED { prefetch(rows.slots[row + r] + s * H + unit); });
      prefetch(rows.y[row + r] + unit);
      if constexpr (Cell::states > 1) prefetch(rows.c_out[row + r] + unit);
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
        V state[max_states] = {extent.load_at<V>(rows.h[row + r] + unit, w)};
        if constexpr (Cell::states > 1) state[1] = extent.load_at<V>(rows.c[row + r] + unit, w);
        Cell::forward(acc[r][w], state);
        extent.store_at(rows.y[row + r] + unit, w, state[0]);
        if constexpr (Cell::states > 1) extent.store_at(rows.c_out[row + r] + unit, w, state[1]);
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
    if (turned) first = piece.block_begin + piece.block_end - first - width;
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
    split_evenly(piece.block_begin, piece.block_end, alone,
                 [&](int first, int width) { tiles(std::integral_constant<int, alone>{}, first, width); });
  } else {
    split_evenly(piece.block_begin, piece.block_end, usual,
                 [&](int first, int width) { tiles(std::integral_constant<int, usual>{}, first, width); });
  }
}

// What a thread does for its piece of a layer and direction.
template <class Cell, class T, int L, int Registers> class ForwardScan {
 public:
  ForwardScan(const ForwardJob<T>& job, const Piece& piece) : job_(job), piece_(piece), plan_(job.plan) {
    int room = piece.rows;
    if (job.chunk) room *= job.chunk;
    rows_ = carve<T>(piece.scratch, room);
    if (!job.factors) rows_.h_in = rows_.h;
    unit_begin_ = piece.block_begin * L;
    unit_end_ = piece.block_end * L < job.H ? piece.block_end * L : job.H;
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
  int alive(int t) const { return alive_rows(plan_, piece_, t); }
  std::ptrdiff_t packed(int t, int r) const { return static_cast<std::ptrdiff_t>(plan_.offset[t]) + r; }
  const T* x_row(std::ptrdiff_t p) const { return job_.x + std::ptrdiff_t{plan_.index[p]} * job_.I; }
  T* y_row(std::ptrdiff_t p) const { return job_.y + std::ptrdiff_t{plan_.index[p]} * job_.y_stride; }
  const T* h_before(int t, int r) const {
    return t ? y_row(packed(t - 1, r)) : initial_row(plan_, job_.initial[0], job_.zeros, r, job_.H);
  }
  T* masked_row(int t, int r) const { return job_.masked + packed(t, r) * job_.H; }
  T* memory_row(int t, int r) const { return job_.memory + (job_.keep ? packed(t, r) : r) * job_.H; }

  // The slots of packed row r at step t; without a tape they live in a buffer of one chunk.
  T* slots_row(int t, int r, int t0) const {
    const std::ptrdiff_t p = job_.keep ? packed(t, r) : std::ptrdiff_t{t - t0} * plan_.rows + r;
    return job_.slots + p * Cell::slots * job_.H;
  }

  void compute_ahead(int t0, int t1) {
    int count = 0;
    for (int t = t0; t < t1; ++t) {
      for (int i = 0, n = alive(t); i < n; ++i, ++count) {
        rows_.x[count] = x_row(packed(t, piece_.row(i)));
        rows_.slots[count] = slots_row(t, piece_.row(i), t0);
      }
    }
    forward_rows<Cell, T, L, Registers>(job_, piece_, rows_, count, Phase::ahead, false);
  }

  void step(int t, int t0) {
    const int count = alive(t);
    for (int i = 0; i < count; ++i) {
      const int r = piece_.row(i);
      rows_.x[i] = x_row(packed(t, r));
      rows_.h[i] = h_before(t, r);
      if (job_.factors) rows_.h_in[i] = masked_row(t, r);
      rows_.y[i] = y_row(packed(t, r));
      if (job_.keep || job_.chunk) rows_.slots[i] = slots_row(t, r, t0);
      if constexpr (Cell::states > 1) {
        rows_.c[i] = t ? memory_row(t - 1, r) : initial_row(plan_, job_.initial[1], job_.zeros, r, job_.H);
        rows_.c_out[i] = memory_row(t, r);
      }
    }
    const Phase phase = job_.chunk ? Phase::after : Phase::whole;
    forward_rows<Cell, T, L, Registers>(job_, piece_, rows_, count, phase, job_.turned != (t % 2 != 0));
  }

  // This piece's units of h as the products of step t will read it.
  void mask(int t) {
    using V = Vec<T, L>;
    for (int i = 0, n = alive(t); i < n; ++i) {
      const int r = piece_.row(i);
      const T *h = h_before(t, r), *factors = factors_row(plan_, job_.factors, r, job_.H);
      T* to = masked_row(t, r);
      for (int u = unit_begin_; u < unit_end_; u += L) {
        const Extent extent{job_.H - u};
        extent.store_at(to + u, 0, extent.load_at<V>(h + u, 0) * extent.load_at<V>(factors + u, 0));
      }
    }
  }

  // Hands out the states of the rows whose last step was t.
  void finish(int t) {
    for (int i = alive(t + 1), n = alive(t); i < n; ++i) {
      const int r = piece_.row(i);
      if (plan_.finish[r] < 0) continue;
      for (int k = 0; k < Cell::states; ++k) {
        if (!job_.final[k]) continue;
        const T* from = k ? memory_row(t, r) : y_row(packed(t, r));
        T* to = job_.final[k] + std::ptrdiff_t{plan_.finish[r]} * job_.H;
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
