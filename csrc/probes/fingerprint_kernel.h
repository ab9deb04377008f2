// A 64-bit fingerprint of bytes in memory. Its one step is state' = rotate((state ^ word) * factor). Two
// states that differ, or two words, never give the same new state, and the same holds where chains are
// joined. So if a single word has changed, the fingerprint always differs.
//
// If several words have changed, their changes could cancel. After some steps that is as unlikely as chance,
// but not after a single one: a change of the highest bit (a sign) is still one bit after the product, and
// the rotation moves it to bit 28. A change of that bit in the chain's next word would cancel it, and so
// would a changed sign in another chain when the two are joined. So each chain takes some more steps before
// that.
#pragma once

#include "simd/unroll.h"

namespace elman {
namespace {

constexpr uint64_t fingerprint_factor = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio: odd, well mixed

template <class V> ELMAN_INLINE V mix(V state, V word) {
  const V product = (state ^ word) * fingerprint_factor;
  return (product << 29) | (product >> 35);
}

// L words at a time in several chains, because a product has to wait for the one before it. Memory beyond
// p[bytes) is not touched.
template <int L> uint64_t fingerprint(const char* p, int64_t bytes) {
  using V = Vec<uint64_t, L>;
  constexpr int chains = 8, size = sizeof(V), round = chains * size, last_steps = 3;
  V state[chains];
  unroll<chains>([&](auto c) ELMAN_INLINED { state[c] = V{} + uint64_t(c + 1); });
  const auto take = [&](const char* from) ELMAN_INLINED {
    unroll<chains>([&](auto c) ELMAN_INLINED {
      V words;
      __builtin_memcpy(&words, from + c * size, size);
      state[c] = mix(state[c], words);
    });
  };
  int64_t at = 0;
  for (; at + round <= bytes; at += round) take(p + at);
  if (at < bytes) {
    char rest[round] = {};
    __builtin_memcpy(rest, p + at, bytes - at);
    take(rest);
  }
  unroll<chains>([&](auto c) ELMAN_INLINED {
    for (int i = 0; i < last_steps; ++i) state[c] = mix(state[c], V{});
  });
  unroll<chains - 1>([&](auto c) ELMAN_INLINED { state[0] = mix(state[0], state[c + 1]); });
  uint64_t words[L], whole = bytes;
  __builtin_memcpy(words, &state[0], size);
  for (const uint64_t word : words) whole = mix(whole, word);
  return whole;
}

}  // namespace
}  // namespace elman
