// The element types of GPU kernels and pairs of them. Sums, cell maths and cell states are float whatever T
// is.
#pragma once

#include <cstdint>

#include "device.h"

namespace elman::cuda {

// The place of a Feed's slot among the gates of the weights, without an array that would lie in memory.
template <class Feed> ELMAN_DEVICE int gate_of(const Feed& feed, int s) {
  return s == 0 ? feed.gate[0] : s == 1 ? feed.gate[1] : s == 2 ? feed.gate[2] : feed.gate[3];
}

// Two values that lie side by side: units u and u + 1 with u even, read and written in one access.
template <class T, bool in_one_word = sizeof(T) == 2> struct alignas(2 * sizeof(T)) Pair {
  T x, y;
  ELMAN_DEVICE T first() const { return x; }
  ELMAN_DEVICE T second() const { return y; }
  static ELMAN_DEVICE Pair of(T x, T y) { return {x, y}; }
};

// 16-bit ones stay one word until they are used: taken apart where they are loaded, they would be waited for
// there.
template <class T> struct Pair<T, true> {
  uint32_t bits;
  ELMAN_DEVICE T first() const { return {static_cast<uint16_t>(bits)}; }
  ELMAN_DEVICE T second() const { return {static_cast<uint16_t>(bits >> 16)}; }
  static ELMAN_DEVICE Pair of(T x, T y) { return {x.bits | uint32_t{y.bits} << 16}; }
};

struct Two {
  float x, y;
};

template <class T> ELMAN_DEVICE Two widen(Pair<T> p) { return {to_float(p.first()), to_float(p.second())}; }
template <class T> ELMAN_DEVICE Pair<T> narrow(float x, float y) {
  if constexpr (sizeof(T) == 2) return {pack<T>(x, y)};
  else return {from_float<T>(x), from_float<T>(y)};
}

// Access to rows of H values. `paired`: H is even and all rows begin at multiples of a pair.
struct Access {
  int H;
  bool paired;

  // Values u and u + 1 of the row, 0 where there are none. `whole`: paired, and u < H.
  template <bool whole = false, class T> ELMAN_DEVICE Pair<T> load(const T* row, int u) const {
    if (whole || (paired && u < H)) return *reinterpret_cast<const Pair<T>*>(row + u);
    return Pair<T>::of(u < H ? row[u] : T{}, u + 1 < H ? row[u + 1] : T{});
  }
  template <class T> ELMAN_DEVICE void store(T* row, int u, Pair<T> value) const {
    if (paired && u < H) {
      *reinterpret_cast<Pair<T>*>(row + u) = value;
    } else {
      if (u < H) row[u] = value.first();
      if (u + 1 < H) row[u + 1] = value.second();
    }
  }
};

}  // namespace elman::cuda
