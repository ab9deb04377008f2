// The register tile: R rows x W vectors of units x S slots of accumulators that stay in registers
// while one product runs over its K inputs. Forward, backward and weight gradients all use it.
//
// Each accumulator adds its terms in the order k = 0, 1, 2, ... whatever R and W are, so that a row's
// bits do not depend on which tile computed it. More speed comes from more units, never from splitting K.
#pragma once

#include <cstddef>

#include "simd/extent.h"
#include "simd/unroll.h"
#include "tile/split.h"

namespace elman {
namespace {

// Inputs as R rows, each contiguous in k.
template <class T, int R> struct RowInputs {
  const T* row[R];
  explicit RowInputs(const T* const* rows) {
    for (int r = 0; r < R; ++r) row[r] = rows[r];
  }
  ELMAN_INLINE T at(int r, std::ptrdiff_t k) const { return row[r][k]; }
};

// Inputs as R neighbouring columns of a matrix whose rows are k.
template <class T, int R> struct ColumnInputs {
  const T* first;
  std::ptrdiff_t stride;
  ELMAN_INLINE T at(int r, std::ptrdiff_t k) const { return first[k * stride + r]; }
};

// acc[r][w][s] += sum over k of inputs(r, k) * weights[w][k][s], for k in [k, end) and the slots s in
// [Begin, End). `stride` parts the blocks of neighbouring vectors of units.
template <int Begin, int End, class V, int R, int W, int S, class Inputs>
ELMAN_INLINE void accumulate_run(V (&acc)[R][W][S], const Inputs& inputs, std::ptrdiff_t k,
                                 std::ptrdiff_t end, const Scalar<V>* weights, std::ptrdiff_t stride) {
  constexpr int L = Lanes<V>::count, N = End - Begin;
  for (weights += k * N * L; k < end; ++k, weights += N * L) {
    V input[R];
    unroll<R>([&](auto r) ELMAN_INLINED { input[r] = splat<V>(inputs.at(r, k)); });
    unroll<W>([&](auto w) ELMAN_INLINED {
      unroll<N>([&](auto s) ELMAN_INLINED {
        V weight = load<V>(weights + w * stride + s * L);
        pin(weight);
        unroll<R>([&](auto r) ELMAN_INLINED {
          acc[r][w][Begin + s] = mul_add(input[r], weight, acc[r][w][Begin + s]);
        });
      });
    });
  }
}

// The same over k in [0, K). After every `run_length` terms the sums so far are put aside and added back
// later: rounding errors then grow with the root of a run's length, not of K's (I 256, H 512: from 1.1e-6 to
// 7e-7, for 1 to 2 % of the speed).
template <int Begin, int End, class V, int R, int W, int S, class Inputs>
ELMAN_INLINE void accumulate(V (&acc)[R][W][S], const Inputs& inputs, std::ptrdiff_t K,
                             const Scalar<V>* weights, std::ptrdiff_t stride) {
  constexpr std::ptrdiff_t run_length = 128;
  accumulate_run<Begin, End>(acc, inputs, 0, K < run_length ? K : run_length, weights, stride);
  for (std::ptrdiff_t k = run_length; k < K; k += run_length) {
    V run[R][W][S];
    unroll<R>([&](auto r) ELMAN_INLINED {
      unroll<W>([&](auto w) ELMAN_INLINED { unroll<S>([&](auto s) ELMAN_INLINED { run[r][w][s] = V{}; }); });
    });
    accumulate_run<Begin, End>(run, inputs, k, k + run_length < K ? k + run_length : K, weights, stride);
    unroll<R>([&](auto r) ELMAN_INLINED {
      unroll<W>([&](auto w) ELMAN_INLINED {
        unroll<S>([&](auto s) ELMAN_INLINED { acc[r][w][s] = acc[r][w][s] + run[r][w][s]; });
      });
    });
  }
}

// How many rows a tile of S slots and W vectors may have: the accumulators, one register for each row's
// input and one for the weight fill the register file.
template <int Registers, int Columns> constexpr int max_rows = (Registers - 1) / (Columns + 1);

// Vectors of accumulators per row: the four slots of one vector of units, or four vectors of one slot.
constexpr int tile_columns = 4;

}  // namespace
}  // namespace elman
