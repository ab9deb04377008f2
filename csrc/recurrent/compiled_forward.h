// The forward tiles of a compiled cell: each adds the products of x and h to the biases, and runs the cell on
// what it holds.
#pragma once

#include "recurrent/phase.h"
#include "recurrent/rows.h"
#include "recurrent/tile_weights.h"

namespace elman {
namespace {

// What all tiles of a call have in common. `stage` counts for Phase::after only.
template <class T> struct TileCall {
  const ForwardJob<T>& job;
  Phase phase;
  int stage;
};

template <class Cell, class T, class Stored, int L, int R, int W>
void forward_tile(const TileCall<T>& call, const RowPointers<T>& rows, int row, int group) {
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
        if constexpr (stages > 1) {
          if (stage < stages - 1) {
            const V passed = Cell{}.pass_on(stage, acc[r][w], state);
            return extent.store_at(rows.read[stage + 1][row + r] + unit, w, passed);
          }
        }
        Cell{}.forward(acc[r][w], state);
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
void forward_rows(const TileCall<T>& call, const Piece& piece, const RowPointers<T>& rows, int count,
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

// What ForwardScan asks of a cell.
template <class Cell, class T, class Stored, int L, int Registers> class CompiledForward {
 public:
  static constexpr bool programs = false;
  static constexpr int columns = Cell::columns, states = Cell::states, stages = Cell::stages;

  CompiledForward(const ForwardJob<T>& job, const Piece& piece) : job_(job), piece_(piece) {}

  void run(const RowPointers<T>& rows, int count, Phase phase, int stage, bool turned) const {
    forward_rows<Cell, T, Stored, L, Registers>(TileCall<T>{job_, phase, stage}, piece_, rows, count, turned);
  }

 private:
  const ForwardJob<T>& job_;
  const Piece& piece_;
};

}  // namespace
}  // namespace elman
