// The registers of a program, and where it finds what it loads and stores. A register holds a vector for each
// of some rows and groups of units: those of the first group for all rows, then of the next. Of what is alike
// in all rows it holds one row, of what is alike in all units one group.
#pragma once

#include "kernels/recurrent.h"
#include "simd/vec.h"

namespace elman {
namespace {

// Vectors of a register: so many that an instruction's call costs little, so few that all registers stay in
// the L1 cache.
constexpr int block_of(int registers, int vector_bytes) {
  constexpr int most_bytes = 24 << 10;
  int block = 128;
  while (block > 16 && block * registers * vector_bytes > most_bytes) block /= 2;
  return block < 32 && registers <= 24 ? 32 : block;
}

// Numbers from a register to the next: 1536 or 2560 bytes modulo 4096. A load would wait for a store whose
// address differs by little more than a multiple of 4096.
template <class T> constexpr std::ptrdiff_t register_stride(int block, int lanes) {
  constexpr std::ptrdiff_t line = 64 / sizeof(T);
  std::ptrdiff_t lines = (std::ptrdiff_t{block} * lanes + line - 1) / line;
  while (lines % 64 != 24 && lines % 64 != 40) ++lines;
  return lines * line;
}

}  // namespace

template <class T> struct Frame {
  T* registers = nullptr;
  std::ptrdiff_t stride = 0;  // numbers from a register to the next
  int rows = 0, groups = 0;
  int unit = 0, H = 0;                      // the first unit; how many there are
  const RowPointers<T>* rows_of = nullptr;  // with the first row at `row`
  int row = 0;
  int statistics = 0;                                // of a row
  bool draws = false;                                // random numbers, in training
  const T* vectors = nullptr;                        // the first unit's element of the first vector
  std::ptrdiff_t vector_next = 0, vector_group = 0;  // from a vector to the next; from a group to the next

  // Of a register.
  int rows_in(int alike) const { return alike & alike_in_rows ? 1 : rows; }
  int groups_in(int alike) const { return alike & alike_in_units ? 1 : groups; }
  // A block of one row, or of one group, has nothing to be alike in.
  int parted() const { return (rows > 1 ? alike_in_rows : 0) | (groups > 1 ? alike_in_units : 0); }
};

// How far apart the vectors of a register are: those of a row and the next, of a group and the next.
struct Strides {
  std::ptrdiff_t row, group;

  template <class T>
  ELMAN_INLINE Strides(const Frame<T>& frame, int alike, int lanes)
      : row(alike & alike_in_rows ? 0 : lanes),
        group(alike & alike_in_units ? 0 : std::ptrdiff_t{frame.rows_in(alike)} * lanes) {}
};

}  // namespace elman
