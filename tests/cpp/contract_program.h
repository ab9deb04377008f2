// A cell with a program: LSTM with peepholes (Gers & Schmidhuber 2000), as elman.cell derives it. The slots
// i, f and o also see c or c', times a vector.
#pragma once

#include "kernels/program.h"

namespace elman::selftest {
namespace {

const Instruction forward_code[] = {
    {Operation::tanh, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_state, 4, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::load_vector, 5, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::fma, 2, {4, 5, 2, 0}, 0, 1, 0, 0},
    {Operation::sigmoid, 2, {2, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_vector, 5, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::fma, 1, {4, 5, 1, 0}, 0, 1, 0, 0},
    {Operation::sigmoid, 1, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::mul, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::fma, 0, {4, 2, 0, 0}, 0, 1, 0, 0},
    {Operation::store_state, 0, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::load_vector, 2, {0, 0, 0, 0}, 2, 1, 0, 0},
    {Operation::fma, 3, {2, 0, 3, 0}, 0, 1, 0, 0},
    {Operation::sigmoid, 3, {3, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::tanh, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::mul, 0, {3, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_state, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
};
const Instruction forward_keep_code[] = {
    {Operation::tanh, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {0, 0, 0, 0}, 2, 1, 0, 0},
    {Operation::load_state, 4, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::load_vector, 5, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::fma, 2, {4, 5, 2, 0}, 0, 1, 0, 0},
    {Operation::sigmoid, 2, {2, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {2, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_vector, 5, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::fma, 1, {4, 5, 1, 0}, 0, 1, 0, 0},
    {Operation::sigmoid, 1, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {1, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::mul, 0, {1, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::fma, 0, {4, 2, 0, 0}, 0, 1, 0, 0},
    {Operation::store_state, 0, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::load_vector, 2, {0, 0, 0, 0}, 2, 1, 0, 0},
    {Operation::fma, 3, {2, 0, 3, 0}, 0, 1, 0, 0},
    {Operation::sigmoid, 3, {3, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {3, 0, 0, 0}, 3, 1, 0, 0},
    {Operation::tanh, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::mul, 0, {3, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_state, 0, {0, 0, 0, 0}, 0, 1, 0, 0},
};
const Instruction backward_code[] = {
    {Operation::load_tape, 0, {0, 0, 0, 0}, 0, 4, 0, 0},
    {Operation::load_after, 4, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::tanh, 5, {4, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_gradient, 6, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::dsigmoid3, 7, {5, 6, 3, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {7, 0, 0, 0}, 3, 1, 0, 0},
    {Operation::mul, 4, {4, 7, 0, 0}, 0, 1, 0, 0},
    {Operation::add_vector, 0, {4, 0, 0, 0}, 2, 1, 0, 0},
    {Operation::dtanh3, 5, {3, 6, 5, 0}, 0, 1, 0, 0},
    {Operation::load_gradient, 6, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::add, 5, {6, 5, 0, 0}, 0, 1, 0, 0},
    {Operation::load_vector, 6, {0, 0, 0, 0}, 2, 1, 0, 0},
    {Operation::fma, 5, {6, 7, 5, 0}, 0, 1, 0, 0},
    {Operation::load_state, 7, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::dsigmoid3, 6, {7, 5, 0, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {6, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::mul, 3, {7, 6, 0, 0}, 0, 1, 0, 0},
    {Operation::add_vector, 0, {3, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::dsigmoid3, 3, {2, 5, 1, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {3, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::mul, 7, {7, 3, 0, 0}, 0, 1, 0, 0},
    {Operation::add_vector, 0, {7, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::load_vector, 7, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::mul, 3, {7, 3, 0, 0}, 0, 1, 0, 0},
    {Operation::fma, 3, {0, 5, 3, 0}, 0, 1, 0, 0},
    {Operation::load_vector, 0, {0, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::fma, 3, {0, 6, 3, 0}, 0, 1, 0, 0},
    {Operation::store_gradient, 0, {3, 0, 0, 0}, 1, 1, 0, 0},
    {Operation::constant, 3, {0, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::store_gradient, 0, {3, 0, 0, 0}, 0, 1, 0, 0},
    {Operation::dtanh3, 2, {1, 5, 2, 0}, 0, 1, 0, 0},
    {Operation::store_tape, 0, {2, 0, 0, 0}, 2, 1, 0, 0},
};

struct Peephole {
  static constexpr CellFacts facts{
      "peephole", 4,  {0, 4, {0, 1, 2, 3}}, {0, 4, {0, 1, 2, 3}}, {"h", "c"}, {"i", "f", "g", "o"},
      {},         {}, {"p_i", "p_f", "p_o"}};
  static constexpr int states = 2;

  static ProgramCell program() {
    const auto of = [](const auto& code, int registers) {
      return Program{code, static_cast<int>(sizeof code / sizeof *code), registers, {1, 2, 0, 3}};
    };
    return {&facts, {of(forward_code, 6)}, {of(forward_keep_code, 6)}, {of(backward_code, 8)}};
  }
};

// Whether a cell has a program in the place of its maths.
template <class Cell> constexpr bool has_program = false;
template <> constexpr bool has_program<Peephole> = true;

}  // namespace
}  // namespace elman::selftest
