// A program made ready for one instruction set: functions in the place of operations, places in a frame in
// the place of registers.
#pragma once

#include <algorithm>

#include "programs/operations.h"

namespace elman {
namespace {

template <class V> auto function_of(Operation operation) {
  using All = Operations<V>;
  switch (operation) {
#define ELMAN_CASE(name, reads) \
  case Operation::name:         \
    return &All::name;
    ELMAN_OPERATIONS(ELMAN_CASE)
#undef ELMAN_CASE
  }
  return &All::constant;
}

template <class V>
LinkedProgram<Scalar<V>> link_program(const Program& program, std::ptrdiff_t stride, Linked<Scalar<V>>* to) {
  using T = Scalar<V>;
  const auto at = [&](int r) { return static_cast<int32_t>(r < 0 ? r : r * stride); };
  int8_t alike[max_registers] = {};
  for (int n = 0; n < program.count; ++n) {
    const Instruction& i = program.code[n];
    Linked<T>& one = to[n];
    one = {function_of<V>(i.operation),
           at(i.to),
           at(i.from[0]),
           at(i.from[1]),
           at(i.from[2]),
           at(i.from[3]),
           i.index,
           i.count,
           i.once != 0,
           static_cast<int8_t>(alike_of(i, alike)),
           {},
           0,
           static_cast<T>(i.number)};
    for (int k = 0; k < operation_reads[static_cast<int>(i.operation)]; ++k) {
      one.of[k] = alike[i.from[k]];
      one.mixed |= static_cast<int8_t>(one.of[k] & ~one.alike);
    }
    if (!stores(i.operation)) std::fill(alike + i.to, alike + i.to + i.count, one.alike);
  }
  LinkedProgram<T> linked{to, program.count, {}, program.statistics, program.statistic_count};
  for (int s = 0; s < max_slots; ++s) linked.place[s] = at(program.place[s]);
  linked.affine = program.affine;
  return linked;
}

// `code`: room for the instructions of all programs.
template <class T, int L> void link(const ProgramCell& cell, Linked<T>* code, LinkedCell<T>* to) {
  using V = Vec<T, L>;
  const int stages = cell.facts->program_count();
  const Program* const programs[] = {cell.forward, cell.forward_keep, cell.backward};
  int registers = 0;
  for (const Program* of_pass : programs)
    for (int j = 0; j < stages; ++j)
      registers = of_pass[j].registers > registers ? of_pass[j].registers : registers;
  to->facts = *cell.facts;
  to->block = block_of(registers, L * int{sizeof(T)});
  to->stride = register_stride<T>(to->block, L);
  to->frame_bytes = std::size_t(registers) * to->stride * sizeof(T);
  LinkedProgram<T>* const linked[] = {to->forward, to->forward_keep, to->backward};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < stages; ++j) {
      linked[i][j] = link_program<V>(programs[i][j], to->stride, code);
      code += programs[i][j].count;
      for (int n = 0; n < programs[i][j].statistic_count; ++n)
        if (programs[i][j].statistics[n].to >= to->statistics)
          to->statistics = programs[i][j].statistics[n].to + 1;
    }
}

}  // namespace
}  // namespace elman
