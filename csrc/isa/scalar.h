// One element at a time. It is the reference for the vectors, and it runs where no other set can.
#pragma once
#define ELMAN_ISA scalar
namespace elman {
namespace {
constexpr int vector_bytes = 0, registers = 16;
}
}  // namespace elman
