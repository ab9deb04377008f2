// The register tile: sums for R rows, W groups of units and S slots of each. They stay in registers while a
// product runs over its K inputs. Forward, backward and the gradients of weights all use it.
//
// Each sum adds its terms in the order k = 0, 1, 2, ... whatever R and W are. So a row's bits do not depend
// on the tile that computed it. More speed comes from more units at once, never from splitting K.
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
  explicit RowInputs(const T* const* rows, std::ptrdiff_t first = 0) {
    for (int r = 0; r < R; ++r) row[r] = rows[r] + first;
  }
  ELMAN_INLINE T at(int r, std::ptrdiff_t k) const { return row[r][k]; }
};

// Inputs as R neighbouring columns of a matrix whose rows are k.
template <class T, int R> struct ColumnInputs {
  const T* first;
  std::ptrdiff_t stride;
  ELMAN_INLINE T at(int r, std::ptrdiff_t k) const { return first[k * stride + r]; }
};

// A vector of weights, which may be stored in another type than the one that sums are in.
template <class V, class Stored> ELMAN_INLINE V load_as(const Stored* p) {
  if constexpr (std::is_same_v<Stored, Scalar<V>>) return load<V>(p);
  else return widen<V>(load<Vec<Stored, Lanes<V>::count>>(p));
}

template <class Stored, class V> ELMAN_INLINE void store_as(Stored* p, V v) {
  if constexpr (std::is_same_v<Stored, Scalar<V>>) store(p, v);
  else store(p, narrow<Vec<Stored, Lanes<V>::count>>(v));
}

// How many values of k before they are used weights are fetched into the L1 cache. The processor's own
// fetching does not keep up with a tile of AVX-512 from the L2 cache on Cascade Lake, nor from the L3 cache
// on Zen 5.
constexpr std::ptrdiff_t prefetch_distance = 16;

// acc[r][w][s] += sum over k of inputs(r, k) * weights[w][k][s], for k in [k, end) and the slots s in
// [Begin, End). `stride`: how far apart the weights of neighbouring groups of units lie.
template <int Begin, int End, class V, int R, int W, int S, class Inputs, class Stored>
ELMAN_INLINE void accumulate_part(V (&acc)[R][W][S], const Inputs& inputs, std::ptrdiff_t k,
                                  std::ptrdiff_t end, const Stored* weights, std::ptrdiff_t stride) {
  constexpr int L = Lanes<V>::count, N = End - Begin;
  for (weights += k * N * L; k < end; ++k, weights += N * L) {
    V input[R];
    unroll<R>([&](auto r) ELMAN_INLINED { input[r] = splat<V>(inputs.at(r, k)); });
    unroll<W>([&](auto w) ELMAN_INLINED {
      unroll<N>([&](auto s) ELMAN_INLINED {
        V weight = load_as<V>(weights + w * stride + s * L);
        if constexpr (R > 2) prefetch_for_read(weights + w * stride + (s + prefetch_distance * N) * L);
        pin(weight);
        unroll<R>([&](auto r) ELMAN_INLINED {
          acc[r][w][Begin + s] = mul_add(input[r], weight, acc[r][w][Begin + s]);
        });
      });
    });
  }
}

// After so many terms the sums so far are put aside and added back later: rounding errors then grow with the
// root of a part's length, not of K's (I 256, H 512: from 1.1e-6 to 7e-7, for 1 to 2 % of the speed).
constexpr std::ptrdiff_t part_length = 128;

// acc += the terms of k in [0, K), in parts; add(sums, k, end) adds those of one part.
template <class V, int R, int W, int S, class Add>
ELMAN_INLINE void in_parts(V (&acc)[R][W][S], std::ptrdiff_t K, const Add& add) {
  add(acc, 0, K < part_length ? K : part_length);
  for (std::ptrdiff_t k = part_length; k < K; k += part_length) {
    V part[R][W][S];
    unroll<R>([&](auto r) ELMAN_INLINED {
      unroll<W>([&](auto w) ELMAN_INLINED { unroll<S>([&](auto s) ELMAN_INLINED { part[r][w][s] = V{}; }); });
    });
    add(part, k, k + part_length < K ? k + part_length : K);
    unroll<R>([&](auto r) ELMAN_INLINED {
      unroll<W>([&](auto w) ELMAN_INLINED {
        unroll<S>([&](auto s) ELMAN_INLINED { acc[r][w][s] = acc[r][w][s] + part[r][w][s]; });
      });
    });
  }
}

// accumulate_part over k in [0, K), in parts.
template <int Begin, int End, class V, int R, int W, int S, class Inputs, class Stored>
ELMAN_INLINE void accumulate(V (&acc)[R][W][S], const Inputs& inputs, std::ptrdiff_t K, const Stored* weights,
                             std::ptrdiff_t stride) {
  in_parts(acc, K, [&](auto& sums, std::ptrdiff_t k, std::ptrdiff_t end) ELMAN_INLINED {
    accumulate_part<Begin, End>(sums, inputs, k, end, weights, stride);
  });
}

// How many rows a tile may have if each has Columns vectors of sums. All sums, one input of each row and one
// weight must fit into the registers.
template <int Registers, int Columns> constexpr int max_rows = (Registers - 1) / (Columns + 1);

// Vectors of sums for each row: four slots of one group of units, or one slot of four groups.
constexpr int tile_columns = 4;

}  // namespace
}  // namespace elman
