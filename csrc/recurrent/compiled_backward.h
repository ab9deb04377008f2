// The way back through a compiled cell: it turns what the tape keeps of a step into gradients of the slots.
#pragma once

#include "recurrent/scan_back.h"
#include "simd/unroll.h"

namespace elman {
namespace {

// Whether the product of a later stage feeds the slot.
template <class Cell> constexpr bool fed_after(int stage, int slot) {
  for (int j = stage + 1; j < Cell::stages; ++j)
    if (Cell::facts.stage(j).feeds(slot)) return true;
  return false;
}

// What BackwardScan asks of a cell.
template <class Cell, class T, int L, int Registers> class CompiledBackward {
 public:
  static constexpr bool programs = false;
  static constexpr int states = Cell::states, columns = Cell::columns;
  static constexpr const Feed& h() { return Cell::facts.h; }

  explicit CompiledBackward(const BackRows<T, L, Registers>& at) : at_(at), job_(at.job) {}

  // The gradients of the slots at step t, for `count` segments; and those of the states, on their way back.
  void run(int t, int count) const {
    const bool fetch = t > job_.t_begin && fetches(count);
    for (int i = 0; i < count; ++i) cell_backward(t, at_.piece.segment(i), fetch);
    // Back through what each stage but the last passed on, from the last to the first.
    unroll<Cell::stages - 1>([&](auto i) ELMAN_INLINED { stage_backward<Cell::stages - 2 - i>(t, count); });
  }

 private:
  using V = Vec<T, L>;

  // Where one step of a segment lies: its rows, and what the cell works on, for the units from u on.
  struct Step {
    const T *before[Cell::states], *after[Cell::states];
    T *d[Cell::states], *slots;
  };
  struct Unit {
    V a[Cell::slots], s[Cell::states], d[Cell::states];
  };

  Step rows_of(int t, int s) const {
    Step step;
    unroll<Cell::states>([&](auto k) ELMAN_INLINED {
      step.before[k] = state_before(job_, k, t, s);
      step.after[k] = state_after(job_, k, t, s);
      step.d[k] = at_.carry_row(k, s);
    });
    step.slots = at_.slots_row(t, s);
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

  // Whether so few numbers are read at a step that the step before can be fetched meanwhile. The tape is read
  // from its end, a step at a time, and the processor foresees only what comes after (H 18, B 16: the scan
  // waited for memory half of the time). Of long steps it foresees most.
  bool fetches(int count) const {
    constexpr std::ptrdiff_t most_bytes = 48 << 10, row = (Cell::slots + Cell::states + 1) * sizeof(T);
    return std::ptrdiff_t{count} * (at_.unit_end - at_.unit_begin) * row <= most_bytes;
  }

  void cell_backward(int t, int segment, bool fetch) const {
    const Step step = rows_of(t, segment);
    const Step before = rows_of(fetch ? t - 1 : t, segment);
    const T *const dy = at_.dy_row(t, segment), *const dy_before = at_.dy_row(fetch ? t - 1 : t, segment);
    for (int u = at_.unit_begin; u < at_.unit_end; u += L) {
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
      Cell{}.backward(x.a, x.s, after, x.d);
      store_unit<Cell::stages - 1>(step, u, extent, x);
    }
  }

  // The way back through what a stage passed on.
  template <int stage> void stage_backward(int t, int count) const {
    if (at_.piece.barrier) at_.piece.barrier->wait(at_.piece.member);
    const auto d_read = [&](int s) { return at_.d_read_row(stage + 1, s); };
    at_.through_weights(Cell::facts.stage(stage + 1), job_.packed[stage + 1], t, count, false, d_read);
    for (int i = 0; i < count; ++i) {
      const int s = at_.piece.segment(i);
      const Step step = rows_of(t, s);
      for (int u = at_.unit_begin; u < at_.unit_end; u += L) {
        const Extent extent{job_.H - u};
        Unit x = load_unit(step, u, extent);
        Cell{}.pass_back(stage, x.a, x.s, extent.load_at<V>(d_read(s) + u, 0), x.d);
        store_unit<stage>(step, u, extent, x);
      }
    }
  }

  const BackRows<T, L, Registers>& at_;
  const BackwardJob<T>& job_;
};

template <class Cell, class T, int L, int Registers>
void backward(const BackwardJob<T>& job, const Piece& piece) {
  using Compiled = CompiledBackward<Cell, T, L, Registers>;
  BackwardScan<Compiled, T, L, Registers>(job, piece, Compiled::columns, 0, 0).run();
}

}  // namespace
}  // namespace elman
