// The forward time loop: for each step, for each group of units, for each few rows, one register tile
// that adds the products of x and h to the biases and runs the cell on what it holds.
#pragma once

#include "machine/barrier.h"
#include "recurrent/rows.h"
#include "recurrent/tile_weights.h"

namespace elman {
namespace {

// The x-part of a slot can be computed with the h-part, or ahead of it for many steps at once into the
// slots buffer. Both add the same terms in the same order, so the bits are the same. Where a step has more
// than one stage the x-part is always computed ahead, and each stage adds its own product to what is there.
enum class Phase { whole, ahead, after };

// What all tiles of a call have in common. `stage` counts for Phase::after only.
template <class Cell, class T> struct TileCall {
  const ForwardJob<T>& job;
  const Cell cell;
  Phase phase;
  int stage;
};

template <class Cell, class T, class Stored, int L, int R, int W>
void forward_tile(const TileCall<Cell, T>& call, const RowPointers<T>& rows, int row, int group) {
  using V = Vec<T, L>;
  constexpr int S = Cell::slots, states = Cell::states, stages = Cell::stages;
  const ForwardJob<T>& job = call.job;
  const int H = job.H, unit = group * L, stage = stages == 1 ? 0 : call.stage;
  const TileWeights<Cell, T, Stored, L> weights(job, group);
  const Extent extent{H - unit};

  if (job.keep) {
    unroll<R>([&](auto r) ELMAN_INLINED {
      unroll<S>([&](auto s) ELMAN_INLINED { prefetch_for_write(rows.slots[row + r] + s * H + unit); });
      unroll<states>([&](auto k) ELMAN_INLINED { prefetch_for_write(rows.after[k][row + r] + unit); });
    });
  }

  V acc[R][W][S];
  if (call.phase == Phase::after) {
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
        const V bias = weights.first(w, s);
        unroll<R>([&](auto r) ELMAN_INLINED { acc[r][w][s] = bias; });
      });
    });
    weights.add_x(acc, RowInputs<T, R>(rows.x + row));
  }
  if (call.phase != Phase::ahead) {
    unroll<stages>([&](auto j) ELMAN_INLINED {
      if (j == stage) weights.template add_h<j>(acc, RowInputs<T, R>(rows.read[j] + row));
    });
    unroll<R>([&](auto r) ELMAN_INLINED {
      unroll<W>([&](auto w) ELMAN_INLINED {
        V state[states];
        unroll<states>(
            [&](auto k) ELMAN_INLINED { state[k] = extent.load_at<V>(rows.before[k][row + r] + unit, w); });
        CellVectors<Cell, V> v;
        unroll<Cell::vectors>([&](auto k) ELMAN_INLINED { v.of[k] = weights.first(w, S + k); });
        if constexpr (stages > 1) {
          if (stage < stages - 1) {
            const V passed = call.cell.pass_on(stage, acc[r][w], state, v.of);
            return extent.store_at(rows.read[stage + 1][row + r] + unit, w, passed);
          }
        }
        call.cell.forward(acc[r][w], state, v.of);
        unroll<states>([&](auto k)
                           ELMAN_INLINED { extent.store_at(rows.after[k][row + r] + unit, w, state[k]); });
      });
    });
    if (!job.keep && stage == stages - 1) return;
  }
  unroll<R>([&](auto r) ELMAN_INLINED {
    unroll<W>([&](auto w) ELMAN_INLINED {
      unroll<S>([&](auto s)
                    ELMAN_INLINED { extent.store_at(rows.slots[row + r] + s * H + unit, w, acc[r][w][s]); });
    });
  });
}

// All units of the piece for `count` rows, from the last to the first if `turned`.
template <class Cell, class T, class Stored, int L, int Registers>
void forward_rows(const TileCall<Cell, T>& call, const Piece& piece, const RowPointers<T>& rows, int count,
                  bool turned) {
  constexpr int usual = tile_columns / Cell::slots, most = max_rows<Registers, tile_columns>;
  const auto tiles = [&](auto Widest, int first, int width) ELMAN_INLINED {
    if (turned) first = piece.group_begin + piece.group_end - first - width;
    with_constant<Widest>(width, [&](auto W) {
      split_evenly(0, count, W > usual ? 1 : most, [&](int row, int size) {
        with_constant<(W > usual ? 1 : most)>(
            size, [&](auto R) { forward_tile<Cell, T, Stored, L, R, W>(call, rows, row, first); });
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
template <class Cell, class T, class Stored, int L, int Registers> class ForwardScan {
 public:
  ForwardScan(const ForwardJob<T>& job, const Piece& piece)
      : job_(job), piece_(piece), plan_(job.plan), cell_(make_cell<Cell>(job.program)) {
    int room = piece.segments;
    if (job.chunk) room *= job.chunk;
    rows_ = carve<T>(piece.scratch, room, Cell::states, Cell::stages);
    if (!job.factors) rows_.read[0] = const_cast<T**>(rows_.before[0]);  // h itself, only read
    unit_begin_ = piece.group_begin * L;
    unit_end_ = piece.group_end * L < job.H ? piece.group_end * L : job.H;
  }

  void run() {
    const FlushDenormals flush;
    const int ahead = job_.chunk ? job_.chunk : 1;
    const int end = job_.t_end < plan_.steps ? job_.t_end : plan_.steps;
    if (job_.factors && job_.t_begin == 0) {
      mask(0);
      if (piece_.barrier) piece_.barrier->wait(piece_.member);
    }
    for (int t0 = job_.t_begin; t0 < end && alive(t0) > 0; t0 += ahead) {
      const int t1 = ahead < end - t0 ? t0 + ahead : end;
      if (job_.chunk) compute_ahead(t0, t1);
      for (int t = t0; t < t1 && alive(t) > 0; ++t) {
        step(t, t0);
        if (job_.factors) mask(t + 1);
        finish(t);
        if (piece_.barrier) piece_.barrier->wait(piece_.member);
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
  T* read_row(int stage, int t, int s) const {
    return job_.read[stage] + (job_.keep ? entry(t, s) : s) * job_.H;
  }

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
    run_tiles(count, Phase::ahead, 0, false);
  }

  void step(int t, int t0) {
    const int count = alive(t);
    for (int i = 0; i < count; ++i) {
      const int s = piece_.segment(i);
      rows_.x[i] = x_row(t, s);
      if (job_.factors) rows_.read[0][i] = read_row(0, t, s);
      for (int j = 1; j < Cell::stages; ++j) rows_.read[j][i] = read_row(j, t, s);
      if (job_.keep || job_.chunk) rows_.slots[i] = slots_row(t, s, t0);
      unroll<Cell::states>([&](auto k) ELMAN_INLINED {
        rows_.before[k][i] = before(k, t, s);
        rows_.after[k][i] = after(k, t, s);
      });
    }
    for (int stage = 0; stage < Cell::stages; ++stage) {
      if (stage && piece_.barrier) piece_.barrier->wait(piece_.member);
      run_tiles(count, job_.chunk ? Phase::after : Phase::whole, stage, job_.turned != (t % 2 != 0));
    }
  }

  void run_tiles(int count, Phase phase, int stage, bool turned) const {
    const TileCall<Cell, T> call{job_, cell_, phase, stage};
    forward_rows<Cell, T, Stored, L, Registers>(call, piece_, rows_, count, turned);
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
  const Cell cell_;
  RowPointers<T> rows_;
  int unit_begin_, unit_end_;
};

template <class Cell, class T, class Stored, int L, int Registers>
void forward(const ForwardJob<T>& job, const Piece& piece) {
  ForwardScan<Cell, T, Stored, L, Registers>(job, piece).run();
}

}  // namespace
}  // namespace elman
