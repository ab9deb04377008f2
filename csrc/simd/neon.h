// AArch64 and its Advanced SIMD: vectors of 16 bytes.
#pragma once

#include <arm_neon.h>

#include "simd/generic.h"

namespace elman {
namespace {

template <> struct Primitives<Vec<float, 4>> : Generic<Vec<float, 4>> {
  using V = Vec<float, 4>;
  static ELMAN_INLINE V mul_add(V a, V b, V c) {
    return (V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
  }
  static ELMAN_INLINE V square_root(V v) { return (V)vsqrtq_f32((float32x4_t)v); }
};

template <> struct Primitives<Vec<double, 2>> : Generic<Vec<double, 2>> {
  using V = Vec<double, 2>;
  static ELMAN_INLINE V mul_add(V a, V b, V c) {
    return (V)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
  }
  static ELMAN_INLINE V square_root(V v) { return (V)vsqrtq_f64((float64x2_t)v); }
};

template <class V> ELMAN_INLINE void pin(V& v) { asm("" : "+w"(v)); }

struct FloatMode {
  static constexpr unsigned long long flush_denormals = 1ull << 24;
  static unsigned long long get() {
    unsigned long long mode;
    asm volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void set(unsigned long long mode) { asm volatile("msr fpcr, %0" ::"r"(mode)); }
};

}  // namespace
}  // namespace elman
