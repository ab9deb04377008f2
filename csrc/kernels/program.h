// A cell that is known only at run time: a program in the place of its maths. This is the program as data,
// which is the same for every instruction set; programs/link.h makes it ready for one of them.
//
// A register is a block of vectors: some units of some rows. What is alike in all rows has one vector for
// them, and so has what is alike in all units: what follows from params, or from statistics of a row, is
// computed once. The sums of the slots arrive in registers, or in columns.
//
// A step of several stages has a program for each. On the way there all but the last store the row that the
// product of the next one reads; on the way back they run from the last to the first, and all but the first
// one that runs find the gradient of that row. What one leaves for another lies in columns: of the tape
// what the way back needs, else of a buffer that each step takes anew. There may be statistics of columns
// over all units.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cells/cell.h"
#include "kernels/affine.h"

namespace elman {

// Name, and how many registers it reads. Each writes one, but for those that store.
// clang-format off
#define ELMAN_OPERATIONS(X)                                                                                \
  /* a + b, a - b, a b, a / b, a b + c, c - a b, and the larger and the smaller; NaN if a or b is */        \
  X(add, 2) X(sub, 2) X(mul, 2) X(div, 2) X(fma, 3) X(fnma, 3) X(max, 2) X(min, 2)                         \
  /* the same with the instruction's number n: a + n, a n, n - a, the larger and the smaller of a and n */ \
  X(add_number, 1) X(mul_number, 1) X(from_number, 1) X(max_number, 1) X(min_number, 1)                    \
  /* c where a > b, a >= b, a == b, else d */                                                              \
  X(where_greater, 4) X(where_at_least, 4) X(where_equal, 4)                                               \
  /* 1 where a < n, else 0; outside training n */                                                          \
  X(chance, 1)                                                                                             \
  X(abs, 1) X(sqrt, 1) X(exp, 1) X(log, 1) X(sigmoid, 1) X(tanh, 1) X(softplus, 1)                         \
  /* d y (1 - y) and d (1 - y y), and the same with d = a b */                                             \
  X(dsigmoid, 2) X(dtanh, 2) X(dsigmoid3, 3) X(dtanh3, 3)                                                  \
  X(constant, 0)                                                                                           \
  /* states before and after the step, the tape, gradients of the states, vectors, scalars, and random     \
     numbers from 0 to 1 */                                                                                \
  X(load_state, 0) X(load_after, 0) X(load_tape, 0) X(load_gradient, 0) X(load_vector, 0)                  \
  X(load_scalar, 0) X(load_random, 0)                                                                      \
  /* what the product of a stage reads, and its gradient */                                                \
  X(load_read, 0) X(load_passed, 0)                                                                        \
  /* what a program has left for later ones of the same step and way */                                    \
  X(load_left, 0)                                                                                          \
  /* of a row over its units */                                                                            \
  X(load_statistic, 0)                                                                                     \
  /* on the way back the tape gets the slots' gradients; add: to those of vectors and scalars */           \
  X(store_state, 1) X(store_tape, 1) X(store_gradient, 1) X(add_vector, 1) X(add_scalar, 1)              \
  X(store_read, 1) X(store_left, 1)
// clang-format on

constexpr int max_registers = 64, max_instructions = 4096, max_random = 16;

enum class Operation : int16_t {
#define ELMAN_NAME(name, reads) name,
  ELMAN_OPERATIONS(ELMAN_NAME)
#undef ELMAN_NAME
};

constexpr int8_t operation_reads[] = {
#define ELMAN_READS(name, reads) reads,
    ELMAN_OPERATIONS(ELMAN_READS)
#undef ELMAN_READS
};

struct Instruction {
  Operation operation;
  int16_t to, from[4];  // registers
  int16_t index;        // of the state, column, vector, scalar, stage or statistic
  int16_t count;        // done for so many registers (and indices), one after the other
  int16_t once;         // 1: what is left lies in the first row's column, as all rows are alike
  double number;
};

// Operations that store stand last.
constexpr bool stores(Operation operation) { return operation >= Operation::store_state; }

// What a register is alike in, which follows from what writes it.
constexpr int alike_in_rows = 1, alike_in_units = 2;

inline int alike_of(const Instruction& i, const int8_t* registers) {
  switch (i.operation) {
    case Operation::constant:
      return alike_in_rows | alike_in_units;
    case Operation::load_vector:
      return alike_in_rows;
    case Operation::load_scalar:
    case Operation::load_statistic:
      return alike_in_units;
    default:
      break;
  }
  const int reads = operation_reads[static_cast<int>(i.operation)];
  if (reads == 0) return i.once ? alike_in_rows : 0;
  int alike = alike_in_rows | alike_in_units;
  for (int k = 0; k < reads; ++k) alike &= registers[i.from[k]];
  return alike;
}

// Over all units of some columns together: a mean; or, with the number of that mean, their variance; or with
// `epsilon`, too, 1 / sqrt(variance + epsilon). The columns left within a step come behind max_columns.
struct Statistic {
  int16_t mean = -1;
  int16_t to = 0;  // its number
  int16_t count = 0, column[max_slots] = {};
  double epsilon = -1;
};

struct Program {
  const Instruction* code = nullptr;
  int count = 0, registers = 0;
  // The registers in which the sums of its stage's slots arrive, forward only; or -1 - the column, of the
  // first stage. Columns are numbered as those of a Statistic.
  int16_t place[max_slots] = {};
  // Computed before the program runs. None reads what programs of its stage store.
  const Statistic* statistics = nullptr;
  int statistic_count = 0;
  Affine affine{};  // what it does, if it is such a recurrence
};

struct ProgramCell {
  const CellFacts* facts = nullptr;
  // For each stage, which `backward` runs from the last to the first. forward_keep also writes the tape.
  Program forward[max_stages], forward_keep[max_stages], backward[max_stages];
};

// The same for one instruction set and type. Offsets of registers are in numbers.
template <class T> struct Frame;
template <class T> struct Linked {
  void (*run)(const Linked&, const Frame<T>&);
  int32_t to, a, b, c, d;
  int16_t index, count;
  bool once;
  int8_t alike, of[4];  // of what it writes and reads
  int8_t mixed;         // in what some of that is alike which it reads, but not what it writes
  T number;
};

template <class T> struct LinkedProgram {
  const Linked<T>* code = nullptr;
  int count = 0;
  int32_t place[max_slots] = {};  // below 0 as in a Program
  const Statistic* statistics = nullptr;
  int statistic_count = 0;
  Affine affine{};
};

template <class T> struct LinkedCell {
  CellFacts facts;
  LinkedProgram<T> forward[max_stages], forward_keep[max_stages], backward[max_stages];
  int statistics = 0;           // of a step there and back
  int block = 0;                // vectors of a register, at most
  std::ptrdiff_t stride = 0;    // numbers from a register to the next
  std::size_t frame_bytes = 0;  // of all registers
};

}  // namespace elman
