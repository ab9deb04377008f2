// A tape as Python holds it: its layout, and the arrays that it lies in.
#pragma once

#include <memory>
#include <vector>

#include "bind/arrays.h"
#include "recurrent/plan.h"
#include "recurrent/stack.h"
#include "recurrent/tape.h"

namespace elman {

using PlanList = std::vector<std::shared_ptr<Plan>>;

// One plan for each direction of one call: at least one, all of as many rows and sequences.
void check_plans(const PlanList& plans);

struct HeldTape {
  HeldTape(const std::string& cell, py::ssize_t H, py::ssize_t L, const PlanList& plans,
           const py::object& dtype, const py::object& memory, const py::object& factors,
           int checkpoint_every);

  // The tape for a call of this stack with these plans, or equal ones; refuses if it was made for others. The
  // arrays are checked again at each call: whoever else holds them may have changed them.
  template <class T> Tape<T> of(const Stack& stack, const PlanList& plans) const;

  py::array y() const;  // [rows, D * H]: the last layer's results, in the tape's memory

  const CellFacts& cell;
  const int H, L;
  const PlanList plans;
  py::object memory, factors;

  // The same for a forward pass: with checkpoints the tape holds its weights for the way back, whose stack
  // the other one is given; without them it holds none.
  template <class T> Tape<T> run_on(const std::shared_ptr<PackedStack<T>>& packed, const PlanList& plans) {
    if (checkpoints_) again_ = packed;
    return of<T>(*packed, plans);
  }
  template <class T> std::shared_ptr<const PackedStack<T>> ran_on(const Stack& stack) const;

 private:
  py::ssize_t D() const { return static_cast<py::ssize_t>(plans.size()); }
  template <class T> Tape<T> view() const;
  const bool single_;  // float32
  const Checkpoints checkpoints_;
  std::shared_ptr<const void> again_;

 public:
  const TapeLayout layout;
};

}  // namespace elman
