// Cells with programs of several stages or parts, as elman.cell derives them: GRU with the reset before the
// product, and minGRU, whose recurrence is affine in its state.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "contract_program.h"
#include "kernels/affine.h"

namespace elman::selftest {
namespace {

const Instruction gru_forward_0[] = {
    {Operation::sigmoid, 0, {0, 0, 0, 0}, 0, 2, 0, 0},
    {Operation::store_left, 0, {2, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_left, 0, {1, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::load_state, 1, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::mul, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_read, 0, {0, 0, 0, 0}, 1, 1, 0, 0},
};
const Instruction gru_forward_1[] = {
    {Operation::load_left, 1, {0, 0, 0, 0}, 0, 2, 0, 0},
    {Operation::add, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::tanh, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_state, 1, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::sub, 1, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::fma, 0, {2, 1, 0, 0}, 0, 1, 0, 0},
    {Operation::store_state, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
};
const Instruction gru_forward_keep_0[] = {
    {Operation::sigmoid, 0, {0, 0, 0, 0}, 0, 2, 0, 0},
    {Operation::store_left, 0, {2, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {1, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::load_state, 1, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::mul, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_read, 0, {0, 0, 0, 0}, 1, 1, 0, 0},
};
const Instruction gru_forward_keep_1[] = {
    {Operation::load_tape, 1, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::load_left, 2, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::add, 0, {2, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::tanh, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {0, 0, 0, 0}, 2, 1, 0, 0},
    {Operation::load_state, 2, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::sub, 2, {2, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::fma, 0, {1, 2, 0, 0}, 0, 1, 0, 0},
    {Operation::store_state, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
};
const Instruction gru_backward_0[] = {
    {Operation::load_tape, 0, {0, 0, 0, 0}, 0, 2, 0, 0},
    {Operation::load_left, 2, {0, 0, 0, 0}, 0, 2, 0, 0},
    {Operation::store_tape, 0, {3, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {2, 0, 0, 0}, 2, 1, 0, 0},
    {Operation::load_state, 2, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_passed, 3, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::dsigmoid3, 2, {2, 3, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {2, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::load_gradient, 2, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::mul, 3, {0, 3, 0, 0}, 0, 1, 0, 0},
    {Operation::fma, 3, {1, 2, 3, 0}, 0, 1, 0, 0},
    {Operation::store_gradient, 0, {3, 0, 0, 0}, 0, 1, 0, 0},
};
const Instruction gru_backward_1[] = {
    {Operation::load_tape, 0, {0, 0, 0, 0}, 1, 2, 0, 0},
    {Operation::load_gradient, 2, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::fnma, 3, {0, 2, 2, 0}, 0, 1, 0, 0},
    {Operation::dtanh, 3, {3, 1, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {3, 0, 0, 0}, 3, 1, 0, 0},
    {Operation::store_left, 0, {3, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::load_state, 3, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::sub, 1, {3, 1, 0, 0}, 0, 1, 0, 0},
    {Operation::dsigmoid3, 0, {1, 2, 0, 0}, 0, 1, 0, 0},
    {Operation::store_left, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
};

const Instruction min_gru_forward_0[] = {
    {Operation::sigmoid, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::mul, 1, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_left, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::from_number, 0, {0, 0, 0, 0}, 0, 1, 0, 1},
    {Operation::store_left, 0, {0, 0, 0, 0}, 1, 1, 0, 0},
};
const Instruction min_gru_forward_1[] = {
    {Operation::load_left, 0, {0, 0, 0, 0}, 0, 2, 0, 0},
    {Operation::load_state, 2, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::fma, 0, {1, 2, 0, 0}, 0, 1, 0, 0},
    {Operation::store_state, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
};
const Instruction min_gru_forward_keep_0[] = {
    {Operation::sigmoid, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::mul, 1, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_left, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::from_number, 0, {0, 0, 0, 0}, 0, 1, 0, 1},
    {Operation::store_left, 0, {0, 0, 0, 0}, 1, 1, 0, 0},
};
const Instruction min_gru_backward_0[] = {
    {Operation::load_tape, 0, {0, 0, 0, 0}, 0, 2, 0, 0},  {Operation::load_left, 2, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_state, 3, {0, 0, 0, 0}, 0, 1, 0, 0}, {Operation::mul, 0, {0, 2, 0, 0}, 0, 1, 0, 0},
    {Operation::fnma, 0, {3, 2, 0, 0}, 0, 1, 0, 0},       {Operation::dsigmoid, 0, {0, 1, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {0, 0, 0, 0}, 0, 1, 0, 0}, {Operation::mul, 2, {1, 2, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {2, 0, 0, 0}, 1, 1, 0, 0},
};
const Instruction min_gru_backward_1[] = {
    {Operation::load_left, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_gradient, 1, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_left, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::mul, 1, {0, 1, 0, 0}, 0, 1, 0, 0},
    {Operation::store_gradient, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
};
const Instruction min_gru_backward_2[] = {
    {Operation::load_tape, 0, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::from_number, 0, {0, 0, 0, 0}, 0, 1, 0, 1},
    {Operation::store_left, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
};

template <int count>
Program program_of(const Instruction (&code)[count], int registers, std::initializer_list<int16_t> place = {},
                   int first_slot = 0) {
  Program program{code, count, registers};
  std::copy(place.begin(), place.end(), program.place + first_slot);
  return program;
}

struct StagesGru {
  static constexpr CellFacts facts{"stages_gru",
                                   4,
                                   {0, 3, {2, 0, 1}},
                                   {1, 3, {0, 1}},
                                   {"h"},
                                   {"r", "z", "n"},
                                   {},
                                   {{3, 4, {2}}},
                                   {},
                                   {},
                                   {},
                                   false,
                                   0,
                                   2};
  static constexpr int states = 1;

  static ProgramCell program() {
    ProgramCell cell{&facts, {}, {}, {}};
    cell.forward[0] = program_of(gru_forward_0, 3, {2, 0, 1});
    cell.forward[1] = program_of(gru_forward_1, 3, {0}, 3);
    cell.forward_keep[0] = program_of(gru_forward_keep_0, 3, {2, 0, 1});
    cell.forward_keep[1] = program_of(gru_forward_keep_1, 3, {0}, 3);
    cell.backward[0] = program_of(gru_backward_0, 4);
    cell.backward[1] = program_of(gru_backward_1, 4);
    return cell;
  }
};

struct MinGru {
  static constexpr CellFacts facts{
      "min_gru", 2,  {0, 2, {0, 1}}, {2, 2, {}}, {"h"}, {"z", "n"}, {}, {},   {},
      {},        {}, false,          0,          2,     0,          1,  true, {true}};
  static constexpr int states = 1;

  static ProgramCell program() {
    ProgramCell cell{&facts, {}, {}, {}};
    cell.forward[0] = program_of(min_gru_forward_0, 2, {0, 1});
    cell.forward_keep[0] = program_of(min_gru_forward_keep_0, 2, {0, 1});
    for (Program* there : {&cell.forward[1], &cell.forward_keep[1]}) {
      *there = program_of(min_gru_forward_1, 3);
      there->affine = affine_of(*there, false);
    }
    cell.backward[0] = program_of(min_gru_backward_0, 4);
    cell.backward[1] = program_of(min_gru_backward_1, 2);
    cell.backward[1].affine = affine_of(cell.backward[1], true);
    cell.backward[2] = program_of(min_gru_backward_2, 1);
    return cell;
  }
};

template <> constexpr bool has_program<StagesGru> = true;
template <> constexpr bool has_program<MinGru> = true;

}  // namespace
}  // namespace elman::selftest
