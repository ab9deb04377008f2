// The limits that speeds are compared with: multiply-adds on registers and nothing else, and loads of memory
// and nothing else.
#pragma once

#include "simd/unroll.h"
#include "simd/vec.h"

namespace elman {
namespace {

// `rounds` rounds of independent multiply-adds; returns the floating-point operations that were done.
template <class T, int L, int Registers> double spin(int64_t rounds) {
  using V = Vec<T, L>;
  constexpr int chains = Registers - 4;  // enough to hide the latency, few enough to stay in registers
  V acc[chains];
  unroll<chains>([&](auto i) ELMAN_INLINED { acc[i] = splat<V>(T(i)); });
  V a = splat<V>(T(0.999)), b = splat<V>(T(0.001));
  for (int64_t round = 0; round < rounds; ++round) {
    pin(a);
    pin(b);
    unroll<chains>([&](auto i) ELMAN_INLINED { acc[i] = mul_add(acc[i], a, b); });
  }
  V sum{};
  unroll<chains>([&](auto i) ELMAN_INLINED { sum = sum + acc[i]; });
  T total = 0;
  if constexpr (L == 1) total = sum;
  else
    for (int i = 0; i < L; ++i) total += sum[i];
  // Only a use of the result keeps the compiler from dropping the work; the sum is never NaN.
  return total == total ? 2.0 * L * chains * static_cast<double>(rounds) : 0;
}

// Reads `count` elements (a multiple of 8 vectors) from aligned memory `rounds` times; returns their sum.
template <class T, int L> T read_all(const T* p, std::ptrdiff_t count, int64_t rounds) {
  using V = Vec<T, L>;
  constexpr int chains = 8;
  V acc[chains] = {};
  for (int64_t round = 0; round < rounds; ++round) {
    const T* from = p;
    for (const T* const end = p + count; from < end; from += chains * L)
      unroll<chains>([&](auto i) ELMAN_INLINED { acc[i] = acc[i] + load<V>(from + i * L); });
    asm volatile("" ::: "memory");
  }
  T total = 0;
  unroll<chains>([&](auto i) ELMAN_INLINED {
    T lanes[L];
    store(lanes, acc[i]);
    for (int lane = 0; lane < L; ++lane) total += lanes[lane];
  });
  return total;
}

}  // namespace
}  // namespace elman
