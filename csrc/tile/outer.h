// The gradients of weights: sums of outer products over all rows n of a chunk, C(m, :) += a(n, m) b(n, :).
#pragma once

#include "kernels/products.h"
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
  const std::size_t depth = rows < visit.rows ? rows : visit.rows;
  return depth * (N + OuterJob<T>::sides * (L - 1) + visit.columns + 2 * L);
}

struct Range {
  int begin, end;
  Range share(int part, int parts) const {
    const int64_t count = end - begin;
    return {begin + static_cast<int>(count * part / parts),
            begin + static_cast<int>(count * (part + 1) / parts)};
  }
};

// One thread's part of an outer job.
template <class T, int L, int Registers> class OuterSum {
 public:
  OuterSum(const OuterJob<T>& job, int part, int parts, T* scratch)
      : job_(job), visit_(job.M, width(job), sizeof(T)) {
    // The columns between two neighbouring ends are fed by the same sides: a share of each such range.
    int cuts[ranges + 1] = {0, job.M}, count = 2;
    for (const auto& side : job.side) {
      insert(side.begin, cuts, count++);
      insert(side.end, cuts, count++);
    }
    for (int i = 0; i < ranges; ++i) ranges_[i] = Range{cuts[i], cuts[i + 1]}.share(part, parts);
    for (int i = 0; i < sides; ++i) {
      packed_[i] = scratch;
      scratch += std::ptrdiff_t{depth()} * ((job.side[i].N + L - 1) / L * L);
    }
    columns_ = scratch;
  }

  // The sums run over n in a fixed order, so the result does not depend on the number of threads. Each thread
  // packs all of b for itself. That is little work beside the products, and no thread has to wait for
  // another.
  void run() const {
    const FlushDenormals flush;
    if (job_.rows <= few_rows) return run_few();
    if (job_.fresh)
      each_side([&](const auto& side, const Range& columns) {
        for (int m = columns.begin; m < columns.end; ++m) {
          T* const row = side.c[m - side.begin];
          for (int i = 0; i < side.N; ++i) row[i] = 0;
        }
      });
    split_evenly(0, job_.rows, depth(), [&](int n, int depth) {
      for (int i = 0; i < sides; ++i) {
        const auto& side = job_.side[i];
        if (side.N) pack_matrix<T, L>(side.b + n, depth, side.N, packed_[i], 0, (side.N + L - 1) / L);
      }
      const T* rows = job_.a + std::ptrdiff_t{n} * job_.a_stride;
      for (const Range& range : ranges_) {
        split_evenly(range.begin, range.end, visit_.columns, [&](int begin, int size) {
          const Range columns{begin, begin + size};
          const std::ptrdiff_t apart = copy_columns(rows, depth, columns);
          for (int i = 0; i < sides; ++i)
            if (job_.side[i].begin <= range.begin && range.end <= job_.side[i].end)
              multiply(job_.side[i], packed_[i], apart, depth, columns);
        });
      }
    });
  }

 private:
  using V = Vec<T, L>;
  static constexpr int most = max_rows<Registers, tile_columns>;
  static constexpr int sides = OuterJob<T>::sides, ranges = 2 * sides + 1;

  int depth() const { return job_.rows < visit_.rows ? job_.rows : visit_.rows; }

  // f(side, columns) for what this part has of each side.
  template <class F> void each_side(const F& f) const {
    for (const Range& range : ranges_)
      for (const auto& side : job_.side)
        if (side.N && side.begin <= range.begin && range.end <= side.end) f(side, range);
  }

  // What a tile reads of b stays in the L1 cache, and C, which is nearly all of the memory, passes once.
  void run_few() const {
    for (const Range& range : ranges_) add_columns(job_.a, job_.rows, range, nullptr, 0);
    each_side([&](const auto& side, const Range& columns) {
      split_evenly(columns.begin, columns.end, most, [&](int m, int size) {
        with_constant<most>(size, [&](auto R) {
          const ColumnInputs<T, R> inputs{job_.a + m, job_.a_stride};
          split_evenly(0, (side.N + L - 1) / L, tile_columns, [&](int group, int width) {
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
    add_columns(rows, depth, range, columns_, width);
    return width;
  }

  // bias += the sums of the columns, which are copied to `to` unless it is null.
  void add_columns(const T* rows, int depth, const Range& range, T* to, std::ptrdiff_t width) const {
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
        unroll<W>([&](auto w) ELMAN_INLINED {
          extent.store_at(job_.bias + m, w, extent.load_at<V>(job_.bias + m, w) + sum[w]);
        });
      });
    });
  }

  void multiply(const typename OuterJob<T>::Side& side, const T* packed, std::ptrdiff_t apart, int depth,
                const Range& columns) const {
    const std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(depth) * L;
    split_evenly(0, (side.N + L - 1) / L, tile_columns, [&](int group, int width) {
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
  Range ranges_[ranges];
  T *packed_[sides], *columns_;
};

template <class T, int L, int Registers> void outer(const OuterJob<T>& job, int part, int parts, T* scratch) {
  OuterSum<T, L, Registers>(job, part, parts, scratch).run();
}

}  // namespace
}  // namespace elman
