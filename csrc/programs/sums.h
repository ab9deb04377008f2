// The sums of the slots of a stage: biases, and the products of x and h with the weights, for some rows and
// columns (programs/weights.h). They go to the registers of a program or to columns, or to the slots buffer
// if they are computed ahead. Terms are added in the order of every tile (tile/tile.h).
#pragma once

#include "programs/frame.h"
#include "programs/weights.h"
#include "recurrent/phase.h"
#include "tile/tile.h"

namespace elman {
namespace {

// A column of a tile: one slot of one group of units.
template <class T> struct Column {
  const T* bias;
  T* to;                // its place in a register, for the first row
  T* const* rows;       // or the rows that it goes to, else null,
  std::ptrdiff_t at;    // and its place in them
  std::ptrdiff_t slot;  // its place in a row of the slots buffer
  int left;             // units from its first one to the last
};

// What a tile reads besides its columns. A product that is not there has no rows.
template <class T> struct Sources {
  const T* const* x;
  const T* const* h;  // what the recurrent product of the stage reads
  T *const *slots, *const *columns_left;
  int I;
  Phase phase;
  bool keep;
  int stage;
  Heads heads;
  int head = 0, head_count = 1;  // those that the columns lie in
};

// `row`: the first one of the tile.
template <class V, int R, int W>
ELMAN_INLINE void begin_sums(V (&acc)[R][W][1], const Sources<Scalar<V>>& from, int row,
                             const Column<Scalar<V>>* column) {
  unroll<W>([&](auto w) ELMAN_INLINED {
    const auto& c = column[w];
    if (from.phase == Phase::after) {
      unroll<R>([&](auto r) ELMAN_INLINED {
        acc[r][w][0] = Extent{c.left}.template load_at<V>(from.slots[row + r] + c.slot, 0);
      });
    } else {
      const V bias = load<V>(c.bias);
      unroll<R>([&](auto r) ELMAN_INLINED { acc[r][w][0] = bias; });
    }
  });
}

template <class V, int R, int W>
ELMAN_INLINE void end_sums(const V (&acc)[R][W][1], int row, const Column<Scalar<V>>* column) {
  unroll<W>([&](auto w) ELMAN_INLINED {
    const auto& c = column[w];
    unroll<R>([&](auto r) ELMAN_INLINED {
      if (c.rows) Extent{c.left}.store_at(c.rows[row + r] + c.at, 0, acc[r][w][0]);
      else store(c.to + (row + r) * Lanes<V>::count, acc[r][w][0]);
    });
  });
}

// Over packed weights: `x` and `h` are those of the first column, and the next one's lie right behind.
template <class V, int R, int W>
__attribute__((noinline)) void sums_tile(const Sources<Scalar<V>>& from, int row,
                                         const Column<Scalar<V>>* column, const Scalar<V>* x,
                                         const Scalar<V>* h) {
  using T = Scalar<V>;
  constexpr int L = Lanes<V>::count;
  if (from.keep) {
    unroll<R>([&](auto r) ELMAN_INLINED {
      unroll<W>([&](auto w) ELMAN_INLINED { prefetch_for_write(from.slots[row + r] + column[w].slot); });
    });
  }
  V acc[R][W][1];
  begin_sums(acc, from, row, column);
  if (x) accumulate<0, 1>(acc, RowInputs<T, R>(from.x + row), from.I, x, std::ptrdiff_t{from.I} * L);
  const Heads& heads = from.heads;
  for (int i = 0; h && i < from.head_count; ++i, h += std::ptrdiff_t{heads.K} * L)
    accumulate<0, 1>(acc, RowInputs<T, R>(from.h + row, std::ptrdiff_t{from.head + i} * heads.K), heads.K, h,
                     heads.apart());
  end_sums(acc, row, column);
}

// Over plain weights: W neighbouring groups of one slot, whose rows `x` and `h` are.
template <class V, int R, int W>
ELMAN_INLINE void plain_sums_tile(const Sources<Scalar<V>>& from, int row, const Column<Scalar<V>>* column,
                                  const UnitRows<Scalar<V>>& x, const UnitRows<Scalar<V>>& h) {
  using T = Scalar<V>;
  V acc[R][W][1];
  begin_sums(acc, from, row, column);
  if (x.first) accumulate_plain(acc, RowInputs<T, R>(from.x + row), from.I, x);
  if (h.first) accumulate_plain(acc, RowInputs<T, R>(from.h + row), from.heads.H, h);
  end_sums(acc, row, column);
}

}  // namespace
}  // namespace elman
