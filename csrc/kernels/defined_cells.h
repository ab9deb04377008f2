// Cells that are defined at run time, by their names. A cell stays for as long as the process lives, so
// whoever has found one may hold it.
#pragma once

#include <string>
#include <vector>

#include "kernels/isa.h"

namespace elman {

// What defines a cell, in the words of CellFacts and Program.
struct CellDefinition {
  struct Code {
    std::vector<Instruction> instructions;
    std::vector<int16_t> place;  // of each slot of its stage; none on the way back
    int registers = 0;
    std::vector<Statistic> statistics;  // computed before it runs
  };
  std::string name;
  int slots = 0, columns = 0,
      left = 0;  // columns: of the tape, at least one for each slot; left: within a step
  Feed x{}, h{};
  std::vector<Feed> later;  // what the products of later stages feed
  std::vector<std::string> states, gates, vectors, scalars;
  std::vector<double> bias, bias_h;
  // Of each stage; or of one stage the three of an elementwise cell.
  std::vector<Code> forward, forward_keep, backward;

  bool elementwise() const { return later.empty() && forward.size() == elementwise_programs; }
};

// Throws std::invalid_argument where the definition does not hold together, so that no program that runs can
// touch memory which is not its own. A second definition of a name must be the same as the first.
void define_cell(const CellDefinition& definition);

// Null if there is none of this name.
const CellRef* defined_cell(const Isa& isa, const std::string& name);

// Throws as define_cell does.
void check_definition(const CellDefinition& definition);

}  // namespace elman
