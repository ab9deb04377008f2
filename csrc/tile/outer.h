// The gradients of weights: sums of outer products over all rows n of a chunk, C(m, :) += a(n, m) b(n, :).
#pragma once

#include "tile/outer_share.h"
#include "tile/plain_product.h"
#include "tile/product.h"

namespace elman {
namespace {

// How many rows of a and b, and columns of a, are taken between two visits to C. Few rows, so that what a
// tile reads of b stays in the L1 cache; more if C is too large for the L2 cache (awd: from 0.82 to 0.90 of
// peak). As many columns of a as stay in the L2 cache while all of b passes over them.
struct OuterVisit {
  int rows, columns;
  OuterVisit(int M, int N, int element) {
    const bool large = std::ptrdiff_t{M} * N * element > (4 << 20);
    rows = large ? 512 : 128;
    columns = large ? 256 : 512;
  }
};

// Up to so many rows are read where they lie: nothing is copied for them, and C is written row by row.
constexpr int few_rows = 16;

// Numbers of scratch for one thread: its packed rows of every b, and its copy of some columns of a.
template <class T, int L> std::size_t outer_scratch(int64_t rows, int M, int N) {
  if (rows <= few_rows) return 0;
  const OuterVisit visit(M, N, sizeof(T));
  return std::size_t(rows < visit.rows ? rows : visit.rows) *
         (N + OuterJob<T>::sides * (L - 1) + (M < visit.columns ? M : visit.columns) + 2 * L);
}

// One thread's part of an outer job.
template <class T, int L, int Registers> class OuterSum {
 public:
  OuterSum(const OuterJob<T>& job, int part, int parts, T* scratch)
      : job_(job), visit_(job.M, width(job), sizeof(T)) {
    // The columns between two neighbouring ends are fed by the same sides.
    int cuts[ranges + 1] = {0, job.M}, count = 2;
    for (const auto& side : job.side) {
      insert(side.begin, cuts, count++);
      insert(side.end, cuts, count++);
    }
    int widths[ranges] = {}, widest = 0;
    for (const auto& side : job.side) {
      widest = side.N > widest ? side.N : widest;
      for (int i = 0; i < ranges; ++i)
        if (feeds(side, {cuts[i], cuts[i + 1]})) widths[i] += side.N;
    }
    grid_ = outer_grid(job.M, width(job), groups(widest), parts);
    across_ = part / grid_.along;
    along_ = part % grid_.along;
    if (across_ < grid_.across) ColumnShares<ranges>(cuts, widths).of(across_, grid_.across, ranges_);
    for (int i = 0; i < sides; ++i) {
      packed_[i] = scratch;
      scratch += std::ptrdiff_t{depth()} * groups(job.side[i].N) * L;
    }
    columns_ = scratch;
  }

  // The sums run over n in a fixed order, so the result does not depend on the number of threads. Each thread
  // packs for itself what it needs of b, so that none has to wait for another.
  void run() const {
    if (across_ >= grid_.across) return;  // a thread that the grid has no place for
    const FlushDenormals flush;
    if (job_.rows <= few_rows) return run_few();
    if (job_.fresh) each_side([&](const Side& side, const Range& columns) { clear(side, columns); });
    split_evenly(0, job_.rows, depth(), [&](int n, int depth) {
      for (int i = 0; i < sides; ++i) {
        const auto& side = job_.side[i];
        const Range mine = share(side);
        if (mine.begin < mine.end)
          pack_matrix<T, L>(side.b + n, depth, side.N, packed_[i], mine.begin, mine.end);
      }
      const T* rows = job_.a + std::ptrdiff_t{n} * job_.a_stride;
      for (const Range& range : ranges_) {
        split_evenly(range.begin, range.end, visit_.columns, [&](int begin, int size) {
          const Range columns{begin, begin + size};
          const std::ptrdiff_t apart = copy_columns(rows, depth, columns);
          for (int i = 0; i < sides; ++i)
            if (feeds(job_.side[i], range)) multiply(job_.side[i], packed_[i], apart, depth, columns);
        });
      }
    });
  }

 private:
  using V = Vec<T, L>;
  static constexpr int most = max_rows<Registers, tile_columns>;
  static constexpr int sides = OuterJob<T>::sides, ranges = 2 * sides + 1;

  using Side = typename OuterJob<T>::Side;
  static int groups(int columns) { return (columns + L - 1) / L; }
  static bool feeds(const Side& side, const Range& range) {
    return side.N > 0 && side.begin <= range.begin && range.end <= side.end;
  }
  // This thread's groups of a side's columns.
  Range share(const Side& side) const {
    const int64_t count = groups(side.N);
    return {static_cast<int>(count * along_ / grid_.along),
            static_cast<int>(count * (along_ + 1) / grid_.along)};
  }

  int depth() const { return job_.rows < visit_.rows ? job_.rows : visit_.rows; }

  // f(side, columns) for what this thread has of each side.
  template <class F> void each_side(const F& f) const {
    for (const Range& range : ranges_)
      for (const Side& side : job_.side)
        if (feeds(side, range)) f(side, range);
  }

  void clear(const Side& side, const Range& columns) const {
    const Range mine = share(side);
    const int end = mine.end * L < side.N ? mine.end * L : side.N;
    for (int m = columns.begin; m < columns.end; ++m)
      for (int i = mine.begin * L; i < end; ++i) side.c[m - side.begin][i] = 0;
  }

  // What a tile reads of b stays in the L1 cache, and C, which is nearly all of the memory, passes once.
  void run_few() const {
    for (const Range& range : ranges_) sum_columns(job_.a, job_.rows, range, nullptr, 0);
    each_side([&](const Side& side, const Range& columns) {
      const Range mine = share(side);
      split_evenly(columns.begin, columns.end, most, [&](int m, int size) {
        with_constant<most>(size, [&](auto R) {
          const ColumnInputs<T, R> inputs{job_.a + m, job_.a_stride};
          split_evenly(mine.begin, mine.end, tile_columns, [&](int group, int width) {
            with_constant<tile_columns>(width, [&](auto W) {
              plain_tile<V, R, W>(inputs, side.c + (m - side.begin), job_.rows, side.b, group * L, side.N,
                                  job_.fresh ? Onto::zeros : Onto::sums);
            });
          });
        });
      });
    });
  }

  static int width(const OuterJob<T>& job) {
    int N = 0;
    for (const auto& side : job.side) N += side.N;
    return N;
  }

  // Into `count` numbers that are in order.
  static void insert(int value, int* numbers, int count) {
    for (; count > 0 && numbers[count - 1] > value; --count) numbers[count] = numbers[count - 1];
    numbers[count] = value;
  }

  // Copies the columns and returns how far apart the rows of the copy are. (The original rows may lie a power
  // of two apart. Then a cache has place for only a few of them at once.)
  std::ptrdiff_t copy_columns(const T* rows, int depth, const Range& range) const {
    const int vectors = (range.end - range.begin + L - 1) / L;
    const std::ptrdiff_t width = std::ptrdiff_t{vectors + 1} * L;
    sum_columns(rows, depth, range, columns_, width);
    return width;
  }

  // bias += the sums of the columns, which are copied to `to` unless it is null.
  void sum_columns(const T* rows, int depth, const Range& range, T* to, std::ptrdiff_t width) const {
    const int vectors = (range.end - range.begin + L - 1) / L;
    split_evenly(0, vectors, tile_columns, [&](int vector, int count) {
      with_constant<tile_columns>(count, [&](auto W) {
        const int m = range.begin + vector * L;
        const Extent extent{range.end - m};
        V sum[W] = {};
        for (int k = 0; k < depth; ++k) {
          unroll<W>([&](auto w) ELMAN_INLINED {
            const V v = extent.load_at<V>(rows + k * job_.a_stride + m, w);
            if (to) store(to + k * width + (vector + w) * L, v);
            sum[w] = sum[w] + v;
          });
        }
        if (along_ > 0 || !job_.bias) return;  // each column's sum is added once
        unroll<W>([&](auto w) ELMAN_INLINED {
          extent.store_at(job_.bias + m, w, extent.load_at<V>(job_.bias + m, w) + sum[w]);
        });
      });
    });
  }

  void multiply(const Side& side, const T* packed, std::ptrdiff_t apart, int depth,
                const Range& columns) const {
    const std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(depth) * L;
    const Range mine = share(side);
    split_evenly(mine.begin, mine.end, tile_columns, [&](int group, int width) {
      with_constant<tile_columns>(width, [&](auto W) {
        split_evenly(columns.begin, columns.end, most, [&](int m, int size) {
          with_constant<most>(size, [&](auto R) {
            product_tile<V, R, W>(ColumnInputs<T, R>{columns_ + (m - columns.begin), apart},
                                  side.c + (m - side.begin), depth, packed + group * stride, stride,
                                  group * L, side.N, true);
          });
        });
      });
    });
  }

  const OuterJob<T>& job_;
  const OuterVisit visit_;
  OuterGrid grid_;
  int across_, along_;  // this thread's place in it
  Range ranges_[ranges];
  T *packed_[sides], *columns_;
};

template <class T, int L, int Registers> void outer(const OuterJob<T>& job, int part, int parts, T* scratch) {
  OuterSum<T, L, Registers>(job, part, parts, scratch).run();
}

}  // namespace
}  // namespace elman
