// Vectors and what can be done with them. The vector type is in types.h, what an instruction set can do with
// it in the file of that set; this is the one place that chooses the file.
//
// Everything here is compiled once per instruction set, and so it lives in an unnamed namespace. Of an inline
// function with external linkage the linker would keep one copy for all sets, and that could be one that this
// processor cannot run.
#pragma once

#if defined(__AVX512F__)
#include "simd/avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "simd/avx2.h"
#elif defined(__x86_64__)
#include "simd/x86.h"
#elif defined(__aarch64__)
#include "simd/neon.h"
#else
#include "simd/other.h"
#endif

namespace elman {
namespace {

// a * b + c, in one rounding where the instruction set has it. It is written out because files are compiled
// with -ffp-contract=off. A compiler that may fuse by itself does so in one tile and not in another, and then
// a row's bits would depend on its neighbours.
template <class V> ELMAN_INLINE V mul_add(V a, V b, V c) { return Primitives<V>::mul_add(a, b, c); }

// The smaller and the larger of two in each lane; b where one of them is NaN.
template <class V> ELMAN_INLINE V smaller(V a, V b) { return Primitives<V>::smaller(a, b); }
template <class V> ELMAN_INLINE V larger(V a, V b) { return Primitives<V>::larger(a, b); }

// d in the lanes where y is above 0 or NaN, else 0. A choice: a product with 0 would let NaN and infinity
// through.
template <class V> ELMAN_INLINE V where_positive(V y, V d) { return y <= V{} ? V{} : d; }

// The square root of each lane, correctly rounded.
template <class V> ELMAN_INLINE V square_root(V v) { return Primitives<V>::square_root(v); }

// The first n lanes, 1 <= n < L; the others read as zero. Memory beyond p[n) is not touched.
template <class V> ELMAN_INLINE V load_first(const Scalar<V>* p, int n) {
  return Primitives<V>::load_first(p, n);
}
template <class V> ELMAN_INLINE void store_first(Scalar<V>* p, V v, int n) {
  Primitives<V>::store_first(p, v, n);
}

// pin(v) keeps v in a register from there on; each processor's file defines it. Without it g++ reads a weight
// from memory again for each row of the tile (110 against 145 GFLOP/s on a 179 GFLOP/s machine).

// Denormals count as zero while one of these lives. The caller's mode comes back afterwards.
class FlushDenormals {
 public:
  FlushDenormals() : saved_(FloatMode::get()) { FloatMode::set(saved_ | FloatMode::flush_denormals); }
  ~FlushDenormals() { FloatMode::set(saved_); }

 private:
  decltype(FloatMode::get()) saved_;
};

}  // namespace
}  // namespace elman
