// Asked by hand: __builtin_cpu_supports needs a part of the compiler's own library, which programs on Windows
// are not linked with.
#include "machine/features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace elman {

#if defined(__x86_64__)
namespace {

struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf) {  // zeros for a leaf that this processor does not have
  Registers r;
  __get_cpuid_count(leaf, 0, &r.a, &r.b, &r.c, &r.d);
  return r;
}

bool all_set(unsigned bits, unsigned wanted) { return (bits & wanted) == wanted; }

// Whether the system keeps these registers of a thread while another one runs.
bool keeps(unsigned registers) {
  if (!all_set(cpuid(1).c, bit_OSXSAVE)) return false;
  unsigned low, high;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return all_set(low, registers);
}

constexpr unsigned avx_registers = 0x06;
#if defined(__APPLE__)
constexpr unsigned avx512_registers =
    avx_registers;  // macOS begins to keep the others when they are first used
#else
constexpr unsigned avx512_registers = 0xe6;
#endif

}  // namespace

bool has_avx2() {
  return keeps(avx_registers) && all_set(cpuid(1).c, bit_FMA) && all_set(cpuid(7).b, bit_AVX2);
}

bool has_avx512() {
  const unsigned parts = bit_AVX512F | bit_AVX512VL | bit_AVX512DQ | bit_AVX512BW;
  return has_avx2() && keeps(avx512_registers) && all_set(cpuid(7).b, parts);
}
#else
bool has_avx2() { return false; }
bool has_avx512() { return false; }
#endif

}  // namespace elman
