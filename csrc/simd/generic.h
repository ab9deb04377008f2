// The primitives in plain C++: right on every processor, for scalars and for vectors of any width. An
// instruction set's file replaces them for the vectors that it has instructions for.
#pragma once

#include "simd/types.h"

namespace elman {
namespace {

// vec.h says what each function does.
template <class V> struct Generic {
  using T = Scalar<V>;
  static constexpr int lanes = Lanes<V>::count;

  static ELMAN_INLINE V mul_add(V a, V b, V c) { return a * b + c; }
  static ELMAN_INLINE V smaller(V a, V b) { return a < b ? a : b; }
  static ELMAN_INLINE V larger(V a, V b) { return a > b ? a : b; }

  static ELMAN_INLINE T root(T x) {
    if constexpr (sizeof(T) == 4) return __builtin_sqrtf(x);
    else return __builtin_sqrt(x);
  }
  static ELMAN_INLINE V square_root(V v) {
    if constexpr (lanes == 1) {
      return root(v);
    } else {
      for (int i = 0; i < lanes; ++i) v[i] = root(v[i]);
      return v;
    }
  }

  static ELMAN_INLINE V load_first(const T* p, int n) {
    if constexpr (lanes == 1) {
      return *p;
    } else {
      V v{};
      for (int i = 0; i < n; ++i) v[i] = p[i];
      return v;
    }
  }
  static ELMAN_INLINE void store_first(T* p, V v, int n) {
    if constexpr (lanes == 1) {
      *p = v;
    } else {
      for (int i = 0; i < n; ++i) p[i] = v[i];
    }
  }
};

// An instruction set specialises this for its own vectors.
template <class V> struct Primitives : Generic<V> {};

}  // namespace
}  // namespace elman
