// What all instruction sets of x86-64 share.
#pragma once

#include "simd/generic.h"

namespace elman {
namespace {

template <class V> ELMAN_INLINE void pin(V& v) {
  if constexpr (sizeof(V) >= 32) asm("" : "+v"(v));
  else asm("" : "+x"(v));
}

struct FloatMode {
  static constexpr unsigned flush_denormals = 0x8040;  // both as results and as arguments
  static unsigned get() { return __builtin_ia32_stmxcsr(); }
  static void set(unsigned mode) { __builtin_ia32_ldmxcsr(mode); }
};

}  // namespace
}  // namespace elman
