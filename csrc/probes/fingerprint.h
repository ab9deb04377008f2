// A 64-bit fingerprint of bytes in memory. Its one step, state' = rotate((state ^ word) * factor), is one to
// one in the state and in the word, and so is every step that joins states: where a single word has changed
// the fingerprint always differs. Where several have, it is as good as chance after some steps, but not after
// one: a product leaves a changed sign the single bit that it is, and the rotation brings it down to bit 28,
// so that a chain's next word would undo it by that bit (a factor of 2^32 in a float32), and another chain by
// a changed sign of its own. So each chain takes some more steps before they are joined.
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
  constexpr int chains = 8, size = sizeof(V), block = chains * size, last_steps = 3;
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
  for (; at + block <= bytes; at += block) take(p + at);
  if (at < bytes) {
    char rest[block] = {};
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
