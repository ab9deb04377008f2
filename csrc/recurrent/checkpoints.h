// A pass that keeps the states of few steps in the place of a whole tape. The way back takes the steps
// between two of them once more, then goes back through them (recurrent/again.h).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/plan_view.h"

namespace elman {

// The stretches of a pass, from the first step on. Where the way back ends a chunk it ends a sum; each
// stretch is of whole chunks, so gradients have the bits of a pass with a whole tape.
class Checkpoints {
 public:
  Checkpoints() = default;  // none: a whole tape
  // Stretches of at least `every` steps but for the first one; entry_bytes: of the columns of an entry.
  Checkpoints(const std::vector<PlanView>& plans, int every, int64_t entry_bytes);

  explicit operator bool() const { return !ends_.empty(); }
  int count() const { return static_cast<int>(ends_.size()); }
  int begin(int i) const { return i ? ends_[i - 1] : 0; }
  int end(int i) const { return ends_[i]; }

  // Of a direction: the rows of states that are kept, and where those begin that stretch i starts from.
  int64_t rows(int d) const { return rows_[d].back(); }
  int64_t row(int d, int i) const { return rows_[d][i]; }

  // The entries of a stretch on a tape of its own: its steps, the step before them, whose states it starts
  // from, and the one behind them. The first of them, and how many at most.
  static int64_t first_entry(const PlanView& plan, int begin);
  int64_t most_entries(const PlanView& plan) const;

 private:
  std::vector<int> ends_;
  std::vector<std::vector<int64_t>> rows_;  // of each direction
};

}  // namespace elman
