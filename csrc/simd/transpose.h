// The transpose of as many vectors as a vector has lanes, in registers.
#pragma once

#include "simd/unroll.h"
#include "simd/vec.h"

namespace elman {
namespace {

// The lanes pick(0), pick(1), ... of the 2 L lanes of a and b.
template <class V, class Pick, int... I>
ELMAN_INLINE V pick_lanes(V a, V b, Pick, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, Pick::of(I)...);
}
template <class Pick, class V> ELMAN_INLINE V pick_lanes(V a, V b) {
  return pick_lanes(a, b, Pick{}, std::make_integer_sequence<int, Lanes<V>::count>{});
}

// Of each 16 bytes of a and b: their first halves (or, with Half 1, their second ones), in turns in units of
// so many lanes. Processors have such shuffles within 16 bytes.
template <int L, int Block, int Unit, int Half> struct Interleave {
  static constexpr int of(int i) {
    const int block = i / Block, unit = i % Block / Unit, lane = i % Unit;
    return unit % 2 * L + block * Block + Half * Block / 2 + unit / 2 * Unit + lane;
  }
};

// The 16 bytes of even number (or, with Odd 1, of odd number) of a, then those of b.
template <int L, int Block, int Odd> struct Unzip {
  static constexpr int of(int i) {
    const int block = i / Block, half = L / Block / 2;
    return block / half * L + (block % half * 2 + Odd) * Block + i % Block;
  }
};

// Lane i of v[k] becomes lane k of v[i].
template <class V> ELMAN_INLINE void transpose(V (&v)[Lanes<V>::count]) {
  constexpr int L = Lanes<V>::count,
                Block = L * int{sizeof(Scalar<V>)} > 16 ? 16 / int{sizeof(Scalar<V>)} : L;
  if constexpr (L > 1) {
    // Each 16 bytes of neighbouring vectors by themselves.
    V w[L];
    unroll<L / 2>([&](auto i) ELMAN_INLINED {
      constexpr int pair = i;
      w[2 * pair] = pick_lanes<Interleave<L, Block, 1, 0>>(v[2 * pair], v[2 * pair + 1]);
      w[2 * pair + 1] = pick_lanes<Interleave<L, Block, 1, 1>>(v[2 * pair], v[2 * pair + 1]);
    });
    if constexpr (Block == 4) {
      unroll<L / 4>([&](auto i) ELMAN_INLINED {
        constexpr int q = 4 * i;
        v[q] = pick_lanes<Interleave<L, 4, 2, 0>>(w[q], w[q + 2]);
        v[q + 1] = pick_lanes<Interleave<L, 4, 2, 1>>(w[q], w[q + 2]);
        v[q + 2] = pick_lanes<Interleave<L, 4, 2, 0>>(w[q + 1], w[q + 3]);
        v[q + 3] = pick_lanes<Interleave<L, 4, 2, 1>>(w[q + 1], w[q + 3]);
      });
    } else {
      unroll<L>([&](auto i) ELMAN_INLINED { v[i] = w[i]; });
    }
    // Then the 16 bytes of vectors that lie Block apart.
    if constexpr (L == 2 * Block) {
      unroll<Block>([&](auto j) ELMAN_INLINED {
        const V a = v[j], b = v[j + Block];
        v[j] = pick_lanes<Unzip<L, Block, 0>>(a, b);
        v[j + Block] = pick_lanes<Unzip<L, Block, 1>>(a, b);
      });
    } else if constexpr (L == 4 * Block) {
      unroll<Block>([&](auto j) ELMAN_INLINED {
        const V even = pick_lanes<Unzip<L, Block, 0>>(v[j], v[j + Block]),
                odd = pick_lanes<Unzip<L, Block, 1>>(v[j], v[j + Block]),
                even2 = pick_lanes<Unzip<L, Block, 0>>(v[j + 2 * Block], v[j + 3 * Block]),
                odd2 = pick_lanes<Unzip<L, Block, 1>>(v[j + 2 * Block], v[j + 3 * Block]);
        v[j] = pick_lanes<Unzip<L, Block, 0>>(even, even2);
        v[j + 2 * Block] = pick_lanes<Unzip<L, Block, 1>>(even, even2);
        v[j + Block] = pick_lanes<Unzip<L, Block, 0>>(odd, odd2);
        v[j + 3 * Block] = pick_lanes<Unzip<L, Block, 1>>(odd, odd2);
      });
    } else {
      static_assert(L == Block);
    }
  }
}

}  // namespace
}  // namespace elman
