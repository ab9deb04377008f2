// AVX2 with FMA.
#pragma once
#define ELMAN_ISA avx2
namespace elman {
namespace {
constexpr int vector_bytes = 32, registers = 16;
}
}  // namespace elman
