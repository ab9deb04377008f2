// Products on the register tile, which all cells and layers share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cells/cell.h"

namespace elman {

// For every side: C(m, :) += sum over n of a(n, m) b(n, :), for the columns m of `a` that the side feeds.
template <class T> struct OuterJob {
  struct Side {
    int begin = 0, end = 0;       // columns of a
    int N = 0;                    // I or H; 0 where there is no such side
    const T* const* b = nullptr;  // [rows] rows of N
    T* const* c = nullptr;        // [end - begin] rows of N
  };
  int rows = 0;  // n
  int M = 0;     // columns of a
  const T* a = nullptr;
  std::ptrdiff_t a_stride = 0;
  static constexpr int sides = 1 + max_stages;
  Side side[sides];    // x, and what the recurrent product of each stage reads
  T* bias = nullptr;   // [M] += the sums of a's columns; null where nobody wants them
  bool fresh = false;  // c counts as zeros, whatever is there
};

template <class T> struct ProductKernels {  // shared by all cells
  int lanes, tile_rows;
  // [ceil(N / L)][K][L] from K rows of N.
  void (*pack)(const T* const* rows, int K, int N, T* out, int group_begin, int group_end);
  // The same from its transpose, N rows of K that lie `stride` apart.
  void (*pack_transposed)(const T* matrix, std::ptrdiff_t stride, int K, int N, T* out, int group_begin,
                          int group_end);
  // out[r] (+)= in[r] (of K) times the packed matrix.
  void (*multiply)(const T* const* in, T* const* out, int count, int K, const T* packed, int N, bool add);
  // The same with a matrix that nobody has packed, for the groups [group_begin, group_end) of its columns.
  // `scratch`: plain_scratch(K, count) numbers.
  std::size_t (*plain_scratch)(int K, int count);
  void (*multiply_plain)(const T* const* in, T* const* out, int count, int K, const T* const* rows, int N,
                         int group_begin, int group_end, bool add, T* scratch);
  // Numbers for each part of a job of at most so many rows; N: that of all sides together.
  std::size_t (*outer_scratch)(int64_t rows, int M, int N);
  void (*outer)(const OuterJob<T>&, int part, int parts, T* scratch);
};

}  // namespace elman
