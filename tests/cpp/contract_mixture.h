// minGRU as elman.cell derives it where the state is a mixture, h + z (n - h): one sum goes straight to a
// column.
#pragma once

#include "contract_stages.h"

namespace elman::selftest {
namespace {

const Instruction mixture_forward_0[] = {
    {Operation::sigmoid, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_left, 0, {0, 0, 0, 0}, 1, 1, 0, 0},
};
const Instruction mixture_forward_1[] = {
    {Operation::load_left, 0, {0, 0, 0, 0}, 0, 2, 0, 0},
    {Operation::load_state, 2, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::sub, 0, {0, 2, 0, 0}, 0, 1, 0, 0},
    {Operation::fma, 2, {1, 0, 2, 0}, 0, 1, 0, 0},
    {Operation::store_state, 0, {2, 0, 0, 0}, 0, 1, 0, 0},
};
const Instruction mixture_forward_keep_0[] = {
    {Operation::sigmoid, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
};
const Instruction mixture_forward_keep_1[] = {
    {Operation::load_tape, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_left, 1, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_state, 2, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::sub, 1, {1, 2, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {1, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::fma, 2, {0, 1, 2, 0}, 0, 1, 0, 0},
    {Operation::store_state, 0, {2, 0, 0, 0}, 0, 1, 0, 0},
};
const Instruction mixture_backward_0[] = {
    {Operation::load_tape, 0, {0, 0, 0, 0}, 0, 2, 0, 0}, {Operation::load_left, 2, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::dsigmoid3, 1, {1, 2, 0, 0}, 0, 1, 0, 0}, {Operation::store_tape, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::mul, 2, {0, 2, 0, 0}, 0, 1, 0, 0},       {Operation::store_tape, 0, {2, 0, 0, 0}, 1, 1, 0, 0},
};
const Instruction mixture_backward_1[] = {
    {Operation::load_tape, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_gradient, 1, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_left, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::fnma, 1, {0, 1, 1, 0}, 0, 1, 0, 0},
    {Operation::store_gradient, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
};

// What is kept here is the difference from another column.
const Instruction no_mixture[] = {
    {Operation::load_tape, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_left, 1, {0, 0, 0, 0}, 0, 2, 0, 0},
    {Operation::load_state, 3, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::sub, 2, {2, 3, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {2, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::sub, 1, {1, 3, 0, 0}, 0, 1, 0, 0},
    {Operation::fma, 3, {0, 1, 3, 0}, 0, 1, 0, 0},
    {Operation::store_state, 0, {3, 0, 0, 0}, 0, 1, 0, 0},
};

struct Mixture {
  static constexpr CellFacts facts{
      "mixture", 2,  {0, 2, {0, 1}}, {2, 2, {}}, {"h"}, {"z", "n"}, {}, {},   {},
      {},        {}, false,          0,          2,     0,          1,  true, {true}};
  static constexpr int states = 1;

  static ProgramCell program() {
    ProgramCell cell{&facts, {}, {}, {}};
    cell.forward[0] = program_of(mixture_forward_0, 1, {0, -1 - max_columns});
    cell.forward_keep[0] = program_of(mixture_forward_keep_0, 1, {0, -1 - max_columns});
    cell.forward[1] = program_of(mixture_forward_1, 3);
    cell.forward_keep[1] = program_of(mixture_forward_keep_1, 3);
    cell.backward[0] = program_of(mixture_backward_0, 3);
    cell.backward[1] = program_of(mixture_backward_1, 2);
    for (Program* there : {&cell.forward[1], &cell.forward_keep[1]}) there->affine = affine_of(*there, false);
    cell.backward[1].affine = affine_of(cell.backward[1], true);
    return cell;
  }
};

template <> constexpr bool has_program<Mixture> = true;

}  // namespace
}  // namespace elman::selftest
