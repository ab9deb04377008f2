// One element at a time: the reference for what the vectors do, and what runs where nothing else can.
#pragma once
#define ELMAN_ISA scalar
namespace elman {
namespace {
constexpr int vector_bytes = 0, registers = 16;
}
}  // namespace elman
