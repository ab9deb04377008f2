// AVX-512 F: vectors of 64 bytes. Some functions are used in their masked form with a full mask, because g++
// 12 warns about the plain form.
#pragma once

#include <immintrin.h>

#include "simd/x86.h"

namespace elman {
namespace {

template <> struct Primitives<Vec<float, 16>> {
  using V = Vec<float, 16>;
  static constexpr __mmask16 all = 0xffff;
  static ELMAN_INLINE V mul_add(V a, V b, V c) { return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
  static ELMAN_INLINE V smaller(V a, V b) { return (V)_mm512_maskz_min_ps(all, (__m512)a, (__m512)b); }
  static ELMAN_INLINE V larger(V a, V b) { return (V)_mm512_maskz_max_ps(all, (__m512)a, (__m512)b); }
  static ELMAN_INLINE V square_root(V v) { return (V)_mm512_maskz_sqrt_ps(all, (__m512)v); }
  static ELMAN_INLINE V load_first(const float* p, int n) {
    return (V)_mm512_maskz_loadu_ps((1u << n) - 1, p);
  }
  static ELMAN_INLINE void store_first(float* p, V v, int n) {
    _mm512_mask_storeu_ps(p, (1u << n) - 1, (__m512)v);
  }
};

template <> struct Primitives<Vec<double, 8>> {
  using V = Vec<double, 8>;
  static constexpr __mmask8 all = 0xff;
  static ELMAN_INLINE V mul_add(V a, V b, V c) {
    return (V)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
  }
  static ELMAN_INLINE V smaller(V a, V b) { return (V)_mm512_maskz_min_pd(all, (__m512d)a, (__m512d)b); }
  static ELMAN_INLINE V larger(V a, V b) { return (V)_mm512_maskz_max_pd(all, (__m512d)a, (__m512d)b); }
  static ELMAN_INLINE V square_root(V v) { return (V)_mm512_maskz_sqrt_pd(all, (__m512d)v); }
  static ELMAN_INLINE V load_first(const double* p, int n) {
    return (V)_mm512_maskz_loadu_pd((1u << n) - 1, p);
  }
  static ELMAN_INLINE void store_first(double* p, V v, int n) {
    _mm512_mask_storeu_pd(p, (1u << n) - 1, (__m512d)v);
  }
};

}  // namespace
}  // namespace elman
