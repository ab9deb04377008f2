#include "kernels/check_program.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace elman {
namespace {

const char* const names[] = {
#define ELMAN_NAME(name, reads) #name,
    ELMAN_OPERATIONS(ELMAN_NAME)
#undef ELMAN_NAME
};
constexpr int operation_count = sizeof(operation_reads);

// The program of a stage, walked from its first instruction to its last.
class Walk {
 public:
  // `left`: of the programs before this one; `run` adds what it leaves.
  Walk(const CellDefinition& cell, const CellDefinition::Code& code, Way way, int stage, Left& left)
      : cell_(cell),
        code_(code),
        back_(way == Way::back),
        keeps_(way == Way::there_with_tape),
        elementwise_(cell.elementwise()),
        loop_(elementwise_ && stage == 1),
        stage_(stage),
        stages_(static_cast<int>(cell.forward.size())),
        ends_(stage == (back_ ? 0 : stages_ - 1)),
        left_(left) {}

  void run() {
    if (code_.registers < 1 || code_.registers > max_registers)
      refuse(cell_,
             "1 to " + std::to_string(max_registers) + " registers, got " + std::to_string(code_.registers));
    if (code_.instructions.size() > max_instructions)
      refuse(cell_, "at most " + std::to_string(max_instructions) + " instructions, got " +
                        std::to_string(code_.instructions.size()));
    const Feed none{};
    const Feed& fed = !stage_ ? Feed{0, cell_.h.end, {}} : elementwise_ ? none : cell_.later[stage_ - 1];
    if (code_.place.size() != (back_ ? 0 : std::size_t(fed.count()))) refuse(cell_, "a place for each slot");
    for (std::size_t slot = 0; slot < code_.place.size(); ++slot) arrive(static_cast<int>(slot));
    for (const Statistic& one : code_.statistics) statistic(one);
    for (const Instruction& i : code_.instructions) step(i);
    if (back_) {
      for (int slot = fed.begin; slot < fed.end; ++slot)
        if (!stored_.count({Operation::store_tape, slot}))
          refuse(cell_, "the gradient of each slot of a stage");
      if (passes_on())
        expect_all(Operation::store_gradient, elementwise_ ? left_.carried.size() : cell_.states.size());
      if (ends_) expect_all(Operation::add_scalar, cell_.scalars.size());
    } else if (loop_) {
      for (const auto& [operation, at] : stored_)
        if (operation == Operation::store_state) left_.carried.insert(at);
      for (const int k : read_)
        if (!left_.carried.count(k)) refuse(cell_, "a recurrence that stores each state that it reads");
    } else if (ends_) {
      expect_all(Operation::store_state, cell_.states.size() - left_.carried.size());
    } else if (!elementwise_) {
      expect_all(Operation::store_read, cell_.later[stage_].count() ? 1 : 0);
    }
    for (const auto& [operation, at] : stored_)
      if (operation == Operation::store_tape) left_.columns.insert(at);
    for (const auto& [operation, at] : stored_)
      if (operation == Operation::store_left) left_.left.insert(at);
    left_.once.insert(once_.begin(), once_.end());
  }

 private:
  // Whether it makes the gradients of the states before the step.
  bool passes_on() const { return back_ && (elementwise_ ? loop_ : ends_); }

  void check_register(int r) const {
    if (r < 0 || r >= code_.registers) refuse(cell_, "a register below " + std::to_string(code_.registers));
  }

  // The sums of a slot: in a register of their own, or in a column. Where some were computed ahead, those of
  // the slots behind it still lie in the tape.
  void arrive(int slot) {
    const int place = code_.place[slot], column = -1 - place;
    if (place >= 0) {
      check_register(place);
      if (written_[place]) refuse(cell_, "a register for each slot");
      written_[place] = true;
    } else if (column < max_columns) {
      if (stage_ || !keeps_ || column > slot) refuse(cell_, "sums in columns of no later slot");
      index(Operation::store_tape, column, 0, cell_.columns);
    } else {
      if (stage_) refuse(cell_, "sums in columns of the first stage alone");
      index(Operation::store_left, column - max_columns, 0, cell_.left);
    }
  }

  // They are numbered in their order, those of the way back behind the others.
  void statistic(const Statistic& one) {
    if (elementwise_ || stage_ == (back_ ? stages_ - 1 : 0))
      refuse(cell_, "no statistics before the first program, nor in an elementwise cell");
    if (one.to != left_.statistics || one.to >= max_statistics)
      refuse(cell_, "at most " + std::to_string(max_statistics) + " statistics, numbered in their order");
    if (one.count < 1) refuse(cell_, "statistics of columns");
    if (one.mean < -1 || one.mean >= left_.statistics) refuse(cell_, "a mean before its variance");
    const bool other = one.epsilon != -1 && !(one.epsilon > 0 && std::isfinite(one.epsilon) && one.mean >= 0);
    if (other) refuse(cell_, "an epsilon above 0, of a variance");
    for (int k = 0; k < one.count; ++k) {
      const int column = one.column[k];
      const bool within = column >= max_columns;
      if (!(within ? left_.left.count(column - max_columns) && !left_.once.count(column - max_columns)
                   : left_.columns.count(column)))
        refuse(cell_, "statistics of columns that an earlier program has stored");
      for (const Instruction& i : code_.instructions)
        if (i.operation == (within ? Operation::store_left : Operation::store_tape) &&
            i.index == (within ? column - max_columns : column))
          refuse(cell_, "columns that stay while others make statistics of them");
    }
    ++left_.statistics;
  }

  // What an instruction's index may be, from the first to before the last; none: it may not stand in this
  // program. A number below 0 where there is no index.
  std::pair<int, int> indices(Operation operation) const {
    if (operation == Operation::load_read) return {1, back_ ? stages_ : stage_ + 1};
    if (operation == Operation::load_passed) return {stage_ + 1, back_ ? stages_ : 0};
    if (operation == Operation::store_read)
      return {stage_ + 1, back_ || ends_ || elementwise_ ? 0 : stage_ + 2};
    return {0, count(operation)};
  }

  // The same of those that start with 0.
  int count(Operation operation) const {
    const int states = static_cast<int>(cell_.states.size());
    switch (operation) {
      case Operation::load_state:
        return elementwise_ && !back_ && !loop_ ? 0 : states;
      case Operation::load_random:
        return max_random;
      case Operation::load_statistic:
        return left_.statistics;
      case Operation::load_vector:
        return static_cast<int>(cell_.vectors.size());
      case Operation::load_scalar:
        return static_cast<int>(cell_.scalars.size());
      case Operation::load_after:
      case Operation::load_gradient:
        return back_ ? states : 0;
      case Operation::store_gradient:
        return passes_on() ? states : 0;
      case Operation::load_tape:
        return back_ || (keeps_ && stage_) ? cell_.columns : 0;
      case Operation::load_left:
      case Operation::store_left:
        return cell_.left;
      case Operation::add_vector:
        return back_ && ends_ ? static_cast<int>(cell_.vectors.size()) : 0;
      case Operation::add_scalar:
        return back_ && ends_ ? static_cast<int>(cell_.scalars.size()) : 0;
      case Operation::store_state:
        return back_ || !(ends_ || loop_) ? 0 : states;
      case Operation::store_tape:
        return back_ || keeps_ ? cell_.columns : 0;
      default:
        return -1;
    }
  }

  // What is stored lies where something was loaded from.
  static Operation load_behind(Operation operation) {
    return operation == Operation::store_state  ? Operation::load_state
           : operation == Operation::store_tape ? Operation::load_tape
           : operation == Operation::store_left ? Operation::load_left
                                                : Operation::load_gradient;
  }

  void step(const Instruction& i) {
    const int operation = static_cast<int>(i.operation);
    if (operation < 0 || operation >= operation_count) refuse(cell_, "an operation that there is");
    if (!std::isfinite(i.number)) refuse(cell_, "finite numbers");
    if (i.operation == Operation::chance && !(0 <= i.number && i.number <= 1))
      refuse(cell_, "a chance of 0 to 1");
    const int reads = operation_reads[operation];
    const auto [least, most] = indices(i.operation);
    // The load of the tape and functions of one argument may run over neighbouring registers.
    const bool store = stores(i.operation), load_left = i.operation == Operation::load_left;
    const bool of_left = load_left || i.operation == Operation::store_left;
    const bool many = load_left || i.operation == Operation::load_tape || (reads == 1 && !store);
    if (i.once < 0 || i.once > of_left) refuse(cell_, std::string("for all rows ") + names[operation]);
    if (i.count < 1 || (i.count > 1 && !many) || i.count > max_registers)
      refuse(cell_, std::string("a count that ") + names[operation] + " can have");
    for (int n = 0; n < i.count; ++n) {
      for (int k = 0; k < reads; ++k) {
        check_register(i.from[k] + n);
        if (!written_[i.from[k] + n]) refuse(cell_, "registers that are written before they are read");
        if (alike_[i.from[k] + n] != alike_[i.from[k]])
          refuse(cell_, "a count of registers that are alike in the same");
      }
      if (most >= 0) index(i.operation, i.index + n, least, most);
      if (of_left) one_row(i.once == 1, i.operation, i.index + n);
    }
    for (int k = reads; k < 4; ++k)
      if (i.from[k] != 0) refuse(cell_, "no more registers than an operation reads");
    const int alike = alike_of(i, alike_);
    if (store && i.once && !(alike & alike_in_rows)) refuse(cell_, "for one row what is alike in all");
    if (store) return;
    for (int k = 0; k < reads; ++k)
      if (i.from[k] == i.to && alike_[i.to] != alike) refuse(cell_, "a register for all rows and units");
    for (int n = 0; n < i.count; ++n) {
      check_register(i.to + n);
      written_[i.to + n] = true;
      alike_[i.to + n] = static_cast<int8_t>(alike);
    }
  }

  void index(Operation operation, int at, int least, int most) {
    const std::string name = names[static_cast<int>(operation)];
    if (at < least || at >= most)
      refuse(cell_, "an index of " + name + (least ? " from " + std::to_string(least) + " and" : "") +
                        " below " + std::to_string(std::max(least, most)));
    if (elementwise_) carried(operation, at);
    // The gradients of later stages' slots stay.
    if (operation == Operation::store_tape && back_ && !elementwise_ && stage_ + 1 < stages_ &&
        cell_.later[stage_].begin <= at && at < cell_.slots)
      refuse(cell_, "gradients of slots that stay where they are");
    if (stores(operation)) {
      if (!stored_.insert({operation, at}).second) refuse(cell_, "one " + name + " of each");
    } else {
      if ((operation == Operation::load_read || operation == Operation::load_passed) &&
          (elementwise_ || !cell_.later[at - 1].count()))
        refuse(cell_, "rows of stages that have a product");
      if ((operation == Operation::load_tape && !left_.columns.count(at)) ||
          (operation == Operation::load_left && !left_.left.count(at)))
        refuse(cell_, "columns that an earlier program has stored");
      for (const Operation store :
           {Operation::store_state, Operation::store_tape, Operation::store_gradient, Operation::store_left})
        if (load_behind(store) == operation &&
            (store == Operation::store_tape || store == Operation::store_left ? any_stored(store)
                                                                              : stored_.count({store, at})))
          refuse(cell_, "each " + name + " before what is stored in its place");
    }
  }

  // A column has numbers of all rows or of one, which lie in the first row's.
  void one_row(bool once, Operation operation, int at) {
    if (once && !elementwise_) refuse(cell_, "columns of one row in an elementwise cell");
    if (operation == Operation::load_left ? once != (left_.once.count(at) > 0)
                                          : left_.left.count(at) && once != (left_.once.count(at) > 0))
      refuse(cell_, "columns that are stored and loaded for one row or for all");
    if (once && operation == Operation::store_left) once_.insert(at);
  }

  // The programs of an elementwise cell run at different times: what one step leaves for the next one is
  // there for the recurrence alone.
  void carried(Operation operation, int at) {
    if (operation == Operation::load_state) read_.insert(at);
    if (operation == Operation::load_state && back_ && !left_.carried.count(at))
      refuse(cell_, "states before the step that the recurrence reads");
    if (operation == Operation::load_gradient && !loop_ && left_.carried.count(at))
      refuse(cell_, "gradients of states that the recurrence carries in it alone");
    const bool stored = operation == Operation::store_state || operation == Operation::store_gradient;
    if (stored && left_.carried.count(at) != std::size_t(back_))
      refuse(cell_, back_ ? "gradients of the states that are carried" : "each state once");
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
  const bool back_, keeps_, elementwise_, loop_;  // loop_: the recurrence of an elementwise cell
  const int stage_, stages_;
  const bool ends_;  // the last one to run
  Left& left_;
  std::set<int> once_;  // columns that this program stores for one row
  bool written_[max_registers] = {};
  int8_t alike_[max_registers] = {};
  std::set<std::pair<Operation, int>> stored_;
  std::set<int> read_;  // the states
};

}  // namespace

void refuse(const CellDefinition& cell, const std::string& what) {
  throw std::invalid_argument("cell " + cell.name + ": expected " + what);
}

void check_program(const CellDefinition& cell, const CellDefinition::Code& code, Way way, int stage,
                   Left& left) {
  Walk(cell, code, way, stage, left).run();
}

}  // namespace elman
