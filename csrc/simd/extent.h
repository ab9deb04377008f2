// Loads and stores at the end of an array, whose last vector may be a part of one.
#pragma once

#include "simd/vec.h"

namespace elman {
namespace {

// The values from a vector's first one to the end of their array. Memory is touched only within them.
struct Extent {
  int count;
  // The w-th vector from p on.
  template <class V> ELMAN_INLINE V load_at(const Scalar<V>* p, int w) const {
    constexpr int L = Lanes<V>::count;
    const int n = count - w * L;
    return n >= L ? load<V>(p + w * L) : load_first<V>(p + w * L, n);
  }
  template <class V> ELMAN_INLINE void store_at(Scalar<V>* p, int w, V v) const {
    constexpr int L = Lanes<V>::count;
    const int n = count - w * L;
    if (n >= L) store(p + w * L, v);
    else store_first(p + w * L, v, n);
  }
};

}  // namespace
}  // namespace elman
