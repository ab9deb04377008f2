// ARM Advanced SIMD, which every AArch64 processor has.
#pragma once
#define ELMAN_ISA neon
namespace elman {
namespace {
constexpr int vector_bytes = 16, registers = 32;
}
}  // namespace elman
