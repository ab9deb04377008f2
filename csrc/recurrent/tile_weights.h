// Where a forward tile finds the weights of its groups of units.
#pragma once

#include "recurrent/pack.h"
#include "tile/plain.h"

namespace elman {
namespace {

// Packed ones.
template <class Cell, class T, class Stored, int L> class TileWeights {
  using V = Vec<T, L>;

 public:
  TileWeights(const ForwardJob<T>& job, int group)
      : layout_{job.I, job.H},
        stride_(layout_.size()),
        weights_(static_cast<const Stored*>(job.packed) + group * stride_) {}

  // The i-th of the vectors that come first, the biases, of the w-th group.
  ELMAN_INLINE V first(int w, int i) const {
    return load<V>(reinterpret_cast<const T*>(weights_ + w * stride_) + i * L);
  }

  // acc += the products of the rows of x, or of what a stage reads.
  template <int R, int W>
  ELMAN_INLINE void add_x(V (&acc)[R][W][Cell::slots], const RowInputs<T, R>& rows) const {
    accumulate<Cell::x.begin, Cell::x.end>(acc, rows, layout_.I, weights_ + layout_.x(), stride_);
  }
  template <int Stage, int R, int W>
  ELMAN_INLINE void add_h(V (&acc)[R][W][Cell::slots], const RowInputs<T, R>& rows) const {
    constexpr Feed h = Cell::facts.stage(Stage);
    accumulate<h.begin, h.end>(acc, rows, layout_.H, weights_ + layout_.h(Stage), stride_);
  }

 private:
  const GroupLayout<Cell, T, Stored, L> layout_;
  const std::ptrdiff_t stride_;
  const Stored* const weights_;
};

// Plain ones.
template <class Cell, class T, int L> class TileWeights<Cell, T, Plain, L> {
  using V = Vec<T, L>;

 public:
  TileWeights(const ForwardJob<T>& job, int group)
      : plain_(*job.plain),
        unit_(group * L),
        first_(static_cast<const T*>(job.packed) + std::ptrdiff_t{group} * firsts * L) {}

  ELMAN_INLINE V first(int w, int i) const { return load<V>(first_ + (w * firsts + i) * L); }

  template <int R, int W>
  ELMAN_INLINE void add_x(V (&acc)[R][W][Cell::slots], const RowInputs<T, R>& rows) const {
    add<R, W>(acc, Cell::x, rows, plain_.ih, plain_.I);
  }
  template <int Stage, int R, int W>
  ELMAN_INLINE void add_h(V (&acc)[R][W][Cell::slots], const RowInputs<T, R>& rows) const {
    add<R, W>(acc, Cell::facts.stage(Stage), rows, plain_.hh, plain_.H);
  }

 private:
  static constexpr int firsts = Cell::slots;

  template <int R, int W>
  ELMAN_INLINE void add(V (&acc)[R][W][Cell::slots], const Feed& feed, const RowInputs<T, R>& inputs,
                        const T* matrix, int K) const {
    constexpr int C = R == 1 && W % 2 == 0 ? 2 : 1;
    for (int i = 0; i < feed.count(); ++i) {
      const UnitRows<T> rows{matrix + (std::ptrdiff_t{feed.gate[i]} * plain_.H + unit_) * K, K,
                             plain_.H - unit_};
      for (int w = 0; w < W; w += C) {
        V sums[R][C][1];
        for (int r = 0; r < R; ++r)
          for (int c = 0; c < C; ++c) sums[r][c][0] = acc[r][w + c][feed.begin + i];
        accumulate_plain(sums, inputs, K, rows.from(w * L));
        for (int r = 0; r < R; ++r)
          for (int c = 0; c < C; ++c) acc[r][w + c][feed.begin + i] = sums[r][c][0];
      }
    }
  }

  const Weights<T>& plain_;
  const int unit_;
  const T* const first_;
};

}  // namespace
}  // namespace elman
