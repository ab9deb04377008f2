// Whether the definition of a cell holds together. A program comes out of a file as easily as out of a
// function, so nothing about it is believed.
#include <cmath>
#include <set>
#include <stdexcept>

#include "kernels/defined_cells.h"

namespace elman {
namespace {

[[noreturn]] void refuse(const CellDefinition& cell, const std::string& what) {
  throw std::invalid_argument("cell " + cell.name + ": expected " + what);
}

const char* const names[] = {
#define ELMAN_NAME(name, reads) #name,
    ELMAN_OPERATIONS(ELMAN_NAME)
#undef ELMAN_NAME
};
constexpr int reads_of[] = {
#define ELMAN_READS(name, reads) reads,
    ELMAN_OPERATIONS(ELMAN_READS)
#undef ELMAN_READS
};
constexpr int operation_count = sizeof(reads_of) / sizeof(int);

bool stores(Operation operation) { return operation >= Operation::store_state; }

// One program, walked from its first instruction to its last.
class Walk {
 public:
  // `there`: for the way back, the program that keeps its tape.
  Walk(const CellDefinition& cell, const CellDefinition::Code& code, bool keeps, const Walk* there = nullptr)
      : cell_(cell), code_(code), back_(there != nullptr), keeps_(keeps), there_(there) {}

  void run() {
    if (code_.registers < 1 || code_.registers > max_registers)
      refuse(cell_,
             "1 to " + std::to_string(max_registers) + " registers, got " + std::to_string(code_.registers));
    if (code_.instructions.size() > max_instructions)
      refuse(cell_, "at most " + std::to_string(max_instructions) + " instructions, got " +
                        std::to_string(code_.instructions.size()));
    if (code_.place.size() != (back_ ? 0 : std::size_t(cell_.slots))) refuse(cell_, "a place for each slot");
    for (const int place : code_.place) {
      check_register(place);
      if (written_[place]) refuse(cell_, "a register for each slot");
      written_[place] = true;
    }
    for (const Instruction& i : code_.instructions) step(i);
    const std::size_t states = cell_.states.size();
    if (back_) {
      expect_all(Operation::store_tape, std::size_t(cell_.slots));
      expect_all(Operation::store_gradient, states);
      expect_all(Operation::store_extra, cell_.vectors.size() + cell_.scalars.size());
    } else {
      expect_all(Operation::store_state, states);
    }
  }

 private:
  void check_register(int r) const {
    if (r < 0 || r >= code_.registers) refuse(cell_, "a register below " + std::to_string(code_.registers));
  }

  // How many there are of what an instruction's index counts; 0: it may not stand in this program.
  int indices(Operation operation) const {
    const int states = static_cast<int>(cell_.states.size());
    switch (operation) {
      case Operation::load_state:
        return states;
      case Operation::load_random:
        return max_random;
      case Operation::load_vector:
        return static_cast<int>(cell_.vectors.size());
      case Operation::load_scalar:
        return static_cast<int>(cell_.scalars.size());
      case Operation::load_after:
      case Operation::load_gradient:
      case Operation::store_gradient:
        return back_ ? states : 0;
      case Operation::load_tape:
        return back_ ? cell_.slots : 0;
      case Operation::store_extra:
        return back_ ? static_cast<int>(cell_.vectors.size() + cell_.scalars.size()) : 0;
      case Operation::store_state:
        return back_ ? 0 : states;
      case Operation::store_tape:
        return back_ || keeps_ ? cell_.slots : 0;
      default:
        return -1;
    }
  }

  // What is stored lies where something was loaded from.
  static Operation load_behind(Operation operation) {
    return operation == Operation::store_state  ? Operation::load_state
           : operation == Operation::store_tape ? Operation::load_tape
                                                : Operation::load_gradient;
  }

  void step(const Instruction& i) {
    const int operation = static_cast<int>(i.operation);
    if (operation < 0 || operation >= operation_count) refuse(cell_, "an operation that there is");
    if (!std::isfinite(i.number)) refuse(cell_, "finite numbers");
    if (i.operation == Operation::chance && !(0 <= i.number && i.number <= 1))
      refuse(cell_, "a chance of 0 to 1");
    const int reads = reads_of[operation], most = indices(i.operation);
    // The load of the tape and functions of one argument may run over neighbouring registers.
    const bool many = i.operation == Operation::load_tape || (reads == 1 && !stores(i.operation));
    if (i.count < 1 || (i.count > 1 && !many) || i.count > max_registers)
      refuse(cell_, std::string("a count that ") + names[operation] + " can have");
    for (int n = 0; n < i.count; ++n) {
      for (int k = 0; k < reads; ++k) {
        check_register(i.from[k] + n);
        if (!written_[i.from[k] + n]) refuse(cell_, "registers that are written before they are read");
      }
      if (most >= 0) index(i.operation, i.index + n, most, operation);
      if (stores(i.operation)) continue;
      check_register(i.to + n);
      written_[i.to + n] = true;
    }
    for (int k = reads; k < 4; ++k)
      if (i.from[k] != 0) refuse(cell_, "no more registers than an operation reads");
  }

  void index(Operation operation, int at, int most, int number) {
    if (at < 0 || at >= most)
      refuse(cell_, std::string("an index of ") + names[number] + " below " + std::to_string(most));
    if (stores(operation)) {
      if (!stored_.insert({operation, at}).second)
        refuse(cell_, std::string("one ") + names[number] + " of each");
    } else {
      if (operation == Operation::load_tape && !there_->stored_.count({Operation::store_tape, at}))
        refuse(cell_, "columns of the tape that forward_keep has stored");
      for (const Operation store : {Operation::store_state, Operation::store_tape, Operation::store_gradient})
        if (load_behind(store) == operation &&
            (store == Operation::store_tape ? any_stored(store) : stored_.count({store, at})))
          refuse(cell_, std::string("each ") + names[number] + " before what is stored in its place");
    }
  }

  bool any_stored(Operation operation) const {
    const auto it = stored_.lower_bound({operation, 0});
    return it != stored_.end() && it->first == operation;
  }

  void expect_all(Operation operation, std::size_t count) const {
    std::size_t found = 0;
    for (const auto& one : stored_) found += one.first == operation;
    if (found != count)
      refuse(cell_, std::string("one ") + names[static_cast<int>(operation)] + " of each, " +
                        std::to_string(count) + ", got " + std::to_string(found));
  }

  const CellDefinition& cell_;
  const CellDefinition::Code& code_;
  const bool back_, keeps_;
  const Walk* const there_;
  bool written_[max_registers] = {};
  std::set<std::pair<Operation, int>> stored_;
};

void check_count(const CellDefinition& cell, std::size_t count, int least, int most, const char* what) {
  if (count < std::size_t(least) || count > std::size_t(most))
    refuse(cell, std::to_string(least) + " to " + std::to_string(most) + " " + what + ", got " +
                     std::to_string(count));
}

// Slots are ordered by what feeds them: x alone, both, h alone. Each is fed.
void check_feeds(const CellDefinition& cell) {
  const bool ranges = cell.x.begin == 0 && 0 < cell.x.end && cell.x.end <= cell.slots && 0 <= cell.h.begin &&
                      cell.h.begin <= cell.x.end && cell.h.end == cell.slots;
  if (!ranges) refuse(cell, "slots that x feeds first and h last, and all of them");
  for (const Feed& feed : {cell.x, cell.h}) {
    bool seen[max_slots] = {};
    for (int i = 0; i < feed.count(); ++i) {
      if (feed.gate[i] < 0 || feed.gate[i] >= feed.count() || seen[feed.gate[i]])
        refuse(cell, "a gate for each slot that a product feeds");
      seen[feed.gate[i]] = true;
    }
  }
  if (cell.gates.size() != std::size_t(cell.x.count()) || cell.bias.size() != cell.gates.size() ||
      cell.bias_h.size() != std::size_t(cell.h.count()))
    refuse(cell, "a name and the start of a bias for each gate");
  for (const auto* starts : {&cell.bias, &cell.bias_h})
    for (const double start : *starts)
      if (!std::isfinite(start)) refuse(cell, "finite starts of biases");
}

}  // namespace

void check_definition(const CellDefinition& cell) {
  if (cell.name.empty()) refuse(cell, "a name");
  check_count(cell, std::size_t(std::max(cell.slots, 0)), 1, max_slots, "slots");
  check_count(cell, cell.states.size(), 1, max_states, "states");
  check_count(cell, cell.vectors.size(), 0, max_vectors, "vectors");
  check_count(cell, cell.scalars.size(), 0, max_scalars, "scalars");
  check_feeds(cell);
  Walk(cell, cell.forward, false).run();
  Walk keep(cell, cell.forward_keep, true);
  keep.run();
  Walk(cell, cell.backward, false, &keep).run();
}

}  // namespace elman
