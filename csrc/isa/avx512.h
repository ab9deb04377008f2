// AVX-512 F, VL, DQ and BW.
#pragma once
#define ELMAN_ISA avx512
namespace elman {
namespace {
constexpr int vector_bytes = 64, registers = 32;
}
}  // namespace elman
