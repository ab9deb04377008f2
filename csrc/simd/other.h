// A processor of which nothing is known.
#pragma once

#include "simd/generic.h"

namespace elman {
namespace {

template <class V> ELMAN_INLINE void pin(V&) {}

struct FloatMode {
  static constexpr unsigned flush_denormals = 0;
  static unsigned get() { return 0; }
  static void set(unsigned) {}
};

}  // namespace
}  // namespace elman
