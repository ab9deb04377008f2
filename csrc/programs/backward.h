// A step back through a cell with programs: they turn what the tape keeps of some rows and groups of units
// into gradients of their slots, from the last stage to the first.
#pragma once

#include "programs/operations.h"
#include "programs/statistics.h"
#include "recurrent/scan_back.h"
#include "tile/split.h"

namespace elman {
namespace {

// What BackwardScan asks of a cell.
template <class T, int L, int Registers> class ProgramBackward {
 public:
  const int states;

  explicit ProgramBackward(const BackRows<T, L, Registers>& at)
      : states(at.job.cell->facts.state_count()),
        at_(at),
        job_(at.job),
        cell_(*at.job.cell),
        stages_(cell_.facts.stage_count()) {
    frame_.registers = static_cast<T*>(at.piece.scratch);
    frame_.stride = cell_.stride;
    frame_.H = job_.H;
    frame_.draws = job_.draws.on;
    frame_.statistics = cell_.statistics;
    frame_.rows_of = &at_.rows;
    frame_.vector_next = std::ptrdiff_t{(job_.H + L - 1) / L} * L;
    frame_.vector_group = L;
  }

  const Feed& h() const { return cell_.facts.h; }

  void run(int t, int count) {
    for (int i = 0; i < count; ++i) find_rows(t, i);
    for (int stage = stages_ - 1;; --stage) {
      run_stage(stage, count);
      if (stage == 0) return;
      if (at_.piece.barrier) at_.piece.barrier->wait(at_.piece.member);
      if (cell_.facts.stage(stage).count()) pass_back(stage, t, count);
      compute_statistics<T, L>(cell_.backward[stage - 1], at_.rows, count, job_.H, cell_.statistics);
    }
  }

 private:
  // The gradient of what the product of a stage has read.
  void pass_back(int stage, int t, int count) const {
    at_.through_weights(cell_.facts.stage(stage), job_.packed[stage], t, count, false,
                        [&](int s) { return at_.d_read_row(stage, s); });
    for (int i = 0; i < count; ++i) at_.rows.slots[i] = at_.slots_row(t, at_.piece.segment(i));
  }

  void run_stage(int stage, int count) {
    // Whole rows where they fit: memory is then read from front to back.
    const Piece& piece = at_.piece;
    const int all = piece.group_end - piece.group_begin, groups = all < cell_.block ? all : cell_.block;
    const int at_once = cell_.block / groups;
    for (int row = 0; row < count; row += at_once)
      split_evenly(piece.group_begin, piece.group_end, groups, [&](int first, int n) {
        block(stage, first, n, row, count - row < at_once ? count - row : at_once);
      });
  }

  // By itself, or the compiler would make a copy of the loop around it for each case.
  __attribute__((noinline)) void find_rows(int t, int i) const {
    const int s = at_.piece.segment(i);
    const RowPointers<T>& rows = at_.rows;
    const std::ptrdiff_t entry = at_.entry(t, s);
    for (int k = 0; k < states; ++k) {
      rows.before[k][i] = state_before(job_, k, t, s);
      rows.after[k][i] = const_cast<T*>(state_after(job_, k, t, s));  // only read
      rows.d[k][i] = at_.carry_row(k, s);
    }
    for (int j = 1; j < stages_; ++j) {
      if (!job_.read[j]) continue;
      rows.read[j][i] = job_.read[j] + entry * job_.H;
      rows.passed[j][i] = at_.d_read_row(j, s);
    }
    rows.dy[i] = at_.dy_row(t, s);
    rows.slots[i] = at_.slots_row(t, s);
    const int kept = cell_.facts.statistics;
    for (int n = 0; n < kept; ++n)
      rows.statistics[std::ptrdiff_t{i} * cell_.statistics + n] = job_.statistics[entry * kept + n];
    if (job_.left) rows.left[i] = job_.left + std::ptrdiff_t{s} * cell_.facts.left * job_.H;
    if (job_.scalars) rows.scalars[i] = scalars_row(job_, entry);
    if (job_.draws.on) rows.keys[i] = row_key(job_, entry);
    const int extras = cell_.facts.vector_count() + cell_.facts.scalar_count();
    if (job_.extra) rows.extra[i] = job_.extra + (entry - job_.extra_begin) * extras * job_.H;
  }

  void block(int stage, int group, int groups, int row, int count) {
    frame_.rows = count;
    frame_.groups = groups;
    frame_.count = std::ptrdiff_t{count} * groups * L;
    frame_.unit = group * L;
    frame_.row = row;
    frame_.vectors = job_.vectors + std::ptrdiff_t{group} * L;
    execute(cell_.backward[stage], frame_);
  }

  const BackRows<T, L, Registers>& at_;
  const BackwardJob<T>& job_;
  const LinkedCell<T>& cell_;
  const int stages_;
  Frame<T> frame_;
};

}  // namespace
}  // namespace elman
