// AVX2 with FMA: vectors of 32 bytes.
#pragma once

#include <immintrin.h>

#include "simd/x86.h"

namespace elman {
namespace {

// All bits set in the first n lanes.
template <class V> ELMAN_INLINE auto first_lanes(int n) {
  using Int = std::conditional_t<sizeof(Scalar<V>) == 4, int32_t, int64_t>;
  Vec<Int, Lanes<V>::count> lane{};
  for (int i = 0; i < Lanes<V>::count; ++i) lane[i] = i;
  return lane < Int(n);
}

template <> struct Primitives<Vec<float, 8>> {
  using V = Vec<float, 8>;
  static ELMAN_INLINE V mul_add(V a, V b, V c) { return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
  static ELMAN_INLINE V smaller(V a, V b) { return (V)_mm256_min_ps((__m256)a, (__m256)b); }
  static ELMAN_INLINE V larger(V a, V b) { return (V)_mm256_max_ps((__m256)a, (__m256)b); }
  static ELMAN_INLINE V square_root(V v) { return (V)_mm256_sqrt_ps((__m256)v); }
  static ELMAN_INLINE V load_first(const float* p, int n) {
    return (V)_mm256_maskload_ps(p, (__m256i)first_lanes<V>(n));
  }
  static ELMAN_INLINE void store_first(float* p, V v, int n) {
    _mm256_maskstore_ps(p, (__m256i)first_lanes<V>(n), (__m256)v);
  }
};

template <> struct Primitives<Vec<double, 4>> {
  using V = Vec<double, 4>;
  static ELMAN_INLINE V mul_add(V a, V b, V c) {
    return (V)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
  }
  static ELMAN_INLINE V smaller(V a, V b) { return (V)_mm256_min_pd((__m256d)a, (__m256d)b); }
  static ELMAN_INLINE V larger(V a, V b) { return (V)_mm256_max_pd((__m256d)a, (__m256d)b); }
  static ELMAN_INLINE V square_root(V v) { return (V)_mm256_sqrt_pd((__m256d)v); }
  static ELMAN_INLINE V load_first(const double* p, int n) {
    return (V)_mm256_maskload_pd(p, (__m256i)first_lanes<V>(n));
  }
  static ELMAN_INLINE void store_first(double* p, V v, int n) {
    _mm256_maskstore_pd(p, (__m256i)first_lanes<V>(n), (__m256d)v);
  }
};

}  // namespace
}  // namespace elman
