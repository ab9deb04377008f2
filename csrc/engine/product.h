// Plain products on the register tile: rows times a packed matrix (gradients of h and x), and sums of
// outer products over all rows (gradients of the weights).
#pragma once

#include "engine/kernels.h"
#include "engine/threads.h"
#include "engine/tile.h"

namespace elman {
namespace {

// [block][K][L]: each vector of units reads its weights as one stream. Lanes past N are zero.
template <class T, int L>
void pack_matrix(const T* const* rows, int K, int N, T* out, int block_begin, int block_end) {
  using V = Vec<T, L>;
  for (int block = block_begin; block < block_end; ++block) {
    T* to = out + static_cast<std::ptrdiff_t>(block) * K * L;
    const Extent extent{N - block * L};
    for (int k = 0; k < K; ++k) store(to + k * L, extent.load_at<V>(rows[k] + block * L, 0));
  }
}

// Never inlined: among its callers' loops the compiler runs out of registers for the addresses, and the
// inner loop of the largest tile grows.
template <class V, int R, int W, class Inputs>
__attribute__((noinline)) void product_tile(const Inputs& inputs, Scalar<V>* const* out, int K,
                                            const Scalar<V>* weights, std::ptrdiff_t stride, int unit, int N,
                                            bool add) {
  V acc[R][W][1];
  unroll<R>([&](auto r) ELMAN_INLINED { unroll<W>([&](auto w) ELMAN_INLINED { acc[r][w][0] = V{}; }); });
  accumulate<0, 1>(acc, inputs, K, weights, stride);
  const Extent extent{N - unit};
  unroll<R>([&](auto r) ELMAN_INLINED {
    Scalar<V>* const to = out[r] + unit;
    unroll<W>([&](auto w) ELMAN_INLINED {
      V v = acc[r][w][0];
      if (add) v = extent.load_at<V>(to, w) + v;
      extent.store_at(to, w, v);
    });
  });
}

template <class T, int L, int Registers>
void multiply_rows(const T* const* in, T* const* out, int count, int K, const T* packed, int N,
                   int block_begin, int block_end, bool add) {
  using V = Vec<T, L>;
  constexpr int most = max_rows<Registers, tile_columns>;
  const std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(K) * L;
  split_evenly(block_begin, block_end, tile_columns, [&](int block, int width) {
    with_constant<tile_columns>(width, [&](auto W) {
      split_evenly(0, count, most, [&](int row, int size) {
        with_constant<most>(size, [&](auto R) {
          product_tile<V, R, W>(RowInputs<T, R>(in + row), out + row, K, packed + block * stride, stride,
                                block * L, N, add);
        });
      });
    });
  });
}

// multiply_rows as a kernel of its own, outside a scan.
template <class T, int L, int Registers>
void product(const T* const* in, T* const* out, int count, int K, const T* packed, int N, bool add) {
  const FlushDenormals flush;
  multiply_rows<T, L, Registers>(in, out, count, K, packed, N, 0, (N + L - 1) / L, add);
}

// Rows summed between two visits to C: few enough that a tile's share of b stays in the L1 cache.
constexpr int outer_depth = 128;

template <class T, int L> std::size_t outer_packed(int N) {
  return std::size_t{2} * outer_depth * ((N + L - 1) / L * L);  // two chunks: one filled, one in use
}

template <class T> std::size_t outer_scratch(int m) { return std::size_t{outer_depth} * m; }

// The columns [m_begin, m_end) of a, as panels of [depth][R].
template <class T, int Most>
void pack_panels(const OuterJob<T>& job, int64_t n, int depth, int m_begin, int m_end, T* out) {
  split_evenly(m_begin, m_end, Most, [&](int m, int size) {
    with_constant<Most>(size, [&](auto R) {
      const T* from = job.a + n * job.a_stride + m;
      for (int k = 0; k < depth; ++k, from += job.a_stride, out += R)
        for (int r = 0; r < R; ++r) out[r] = from[r];
    });
  });
}

template <class T> void add_columns(const OuterJob<T>& job, int64_t n, int depth, int m_begin, int m_end) {
  constexpr int strip = 64;
  for (int m = m_begin; m < m_end; m += strip) {
    const int size = m_end - m < strip ? m_end - m : strip;
    T sum[strip] = {};
    const T* from = job.a + n * job.a_stride + m;
    for (int k = 0; k < depth; ++k, from += job.a_stride)
      for (int i = 0; i < size; ++i) sum[i] += from[i];
    for (int i = 0; i < size; ++i) job.bias[m + i] += sum[i];
  }
}

// One of `parts` threads: it packs its share of b for all, then sums its own rows [m_begin, m_end) of C.
// The sums run over n in a fixed order, so the result does not depend on the number of threads.
template <class T, int L, int Registers>
void outer(const OuterJob<T>& job, int m_begin, int m_end, int part, int parts, T* scratch) {
  using V = Vec<T, L>;
  constexpr int most = max_rows<Registers, tile_columns>;
  const FlushDenormals flush;
  const int blocks = (job.N + L - 1) / L;
  const int block_begin = static_cast<int>(static_cast<int64_t>(blocks) * part / parts);
  const int block_end = static_cast<int>(static_cast<int64_t>(blocks) * (part + 1) / parts);
  bool odd = false;
  for (int64_t n = 0; n < job.total; n += outer_depth, odd = !odd) {
    const int depth = static_cast<int>(job.total - n < outer_depth ? job.total - n : outer_depth);
    T* packed = job.packed + (odd ? outer_packed<T, L>(job.N) / 2 : 0);
    pack_matrix<T, L>(job.b + n, depth, job.N, packed, block_begin, block_end);
    pack_panels<T, most>(job, n, depth, m_begin, m_end, scratch);
    if (job.bias) add_columns(job, n, depth, m_begin, m_end);
    if (job.barrier) job.barrier->wait();
    const std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(depth) * L;
    split_evenly(0, blocks, tile_columns, [&](int block, int width) {
      with_constant<tile_columns>(width, [&](auto W) {
        const T* panel = scratch;
        split_evenly(m_begin, m_end, most, [&](int m, int size) {
          with_constant<most>(size, [&](auto R) {
            product_tile<V, R, W>(PanelInputs<T, R>{panel}, job.c + m, depth, packed + block * stride, stride,
                                  block * L, job.N, true);
          });
          panel += static_cast<std::ptrdiff_t>(depth) * size;
        });
      });
    });
  }
}

}  // namespace
}  // namespace elman
