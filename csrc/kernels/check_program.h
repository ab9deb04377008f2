// Whether a program holds together. It comes out of a file as easily as out of a function, so nothing about
// it is believed.
#pragma once

#include <set>
#include <string>

#include "kernels/defined_cells.h"

namespace elman {

enum class Way { there, there_with_tape, back };

// What programs have left for those that run after them.
struct Left {
  std::set<int> columns;  // of the tape
  std::set<int> left;     // those of this way, within a step
  std::set<int> once;     // of those: what is stored for one row, which is then loaded so
  int statistics = 0;     // the first ones are there
  std::set<int> carried;  // the states that the recurrence of an elementwise cell has stored
};

// Throws std::invalid_argument: a cell is not what was expected.
[[noreturn]] void refuse(const CellDefinition& cell, const std::string& what);

// Walks the program of a stage from its first instruction to its last. `left`: of the programs before this
// one, to which it adds what this one leaves.
void check_program(const CellDefinition& cell, const CellDefinition::Code& code, Way way, int stage,
                   Left& left);

}  // namespace elman
