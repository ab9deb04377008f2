// A step back through a cell with programs: they turn what the tape keeps of some rows and groups of units
// into gradients of their slots, from the last stage to the first.
#pragma once

#include "programs/affine.h"
#include "programs/operations.h"
#include "programs/statistics.h"
#include "recurrent/scan_back.h"
#include "tile/split.h"

namespace elman {
namespace {

// What BackwardScan asks of a cell.
template <class T, int L, int Registers> class ProgramBackward {
 public:
  static constexpr bool programs = true;
  const bool elementwise;
  const int states;

  explicit ProgramBackward(const BackRows<T, L, Registers>& at)
      : elementwise(at.job.cell->facts.elementwise),
        states(at.job.cell->facts.state_count()),
        at_(at),
        job_(at.job),
        cell_(*at.job.cell),
        stages_(cell_.facts.stage_count()),
        all_(at.piece.group_end - at.piece.group_begin),
        groups_(all_ < cell_.block ? all_ : cell_.block),
        rows_at_once_(groups_ ? cell_.block / groups_ : 1) {
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
    for (int i = 0; i < count; ++i) find_rows(t, i, i, 0);
    for (int stage = stages_ - 1;; --stage) {
      run_rows(stage, 0, count);
      if (stage == 0) return;
      if (at_.piece.barrier) at_.piece.barrier->wait(at_.piece.member);
      if (cell_.facts.stage(stage).count()) pass_back(stage, t, count);
      compute_statistics<T, L>(cell_.backward[stage - 1], at_.rows, count, job_.H, cell_.statistics);
    }
  }

  // One program, for `count` rows from `begin` on.
  void run_rows(int stage, int begin, int count) {
    if (cell_.backward[stage].count == 0) return;
    if (run_affine<T, L, true>(cell_.backward[stage].affine, at_.rows, job_.H, begin, count,
                               at_.piece.group_begin, at_.piece.group_end))
      return;
    // Whole rows where they fit: memory is then read from front to back.
    const Piece& piece = at_.piece;
    for (int row = 0; row < count; row += rows_at_once_) {
      const int rows = count - row < rows_at_once_ ? count - row : rows_at_once_;
      if (groups_ == all_) block(stage, piece.group_begin, all_, begin + row, rows);
      else
        split_evenly(piece.group_begin, piece.group_end, groups_,
                     [&](int first, int n) { block(stage, first, n, begin + row, rows); });
    }
  }

  // Row `at`: the piece's segment i at step t, of a chunk that begins `since` steps before. By itself, or the
  // compiler would make a copy of the loop around it for each case.
  __attribute__((noinline)) void find_rows(int t, int i, int at, int since) const {
    const int s = at_.piece.segment(i);
    const RowPointers<T>& rows = at_.rows;
    const std::ptrdiff_t entry = at_.entry(t, s);
    for (int k = 0; k < states; ++k) {
      rows.before[k][at] = state_before(job_, k, t, s);
      rows.after[k][at] = const_cast<T*>(state_after(job_, k, t, s));  // only read
      rows.d[k][at] = gradient_row(k, t, i);
    }
    for (int j = 1; j < stages_; ++j) {
      if (!job_.read[j]) continue;
      rows.read[j][at] = job_.read[j] + entry * job_.H;
      rows.passed[j][at] = at_.d_read_row(j, s);
    }
    rows.dy[at] = at_.dy_row(t, s);
    rows.slots[at] = at_.slots_row(t, s);
    const int kept = cell_.facts.statistics;
    for (int n = 0; n < kept; ++n)
      rows.statistics[std::ptrdiff_t{at} * cell_.statistics + n] = job_.statistics[entry * kept + n];
    const std::ptrdiff_t left = std::ptrdiff_t{since} * at_.plan.segments + s;
    if (job_.left) rows.left[at] = job_.left + left * cell_.facts.left * job_.H;
    if (job_.scalars) rows.scalars[at] = scalars_row(job_, entry);
    if (job_.draws.on) rows.keys[at] = row_key(job_, entry);
    const std::ptrdiff_t vectors = cell_.facts.vector_count(), scalars = cell_.facts.scalar_count();
    const std::ptrdiff_t first = at_.plan.offset[job_.d_begin];
    const std::ptrdiff_t sum = at_.entry(job_.d_begin + (t - job_.d_begin) % job_.vector_steps, s) - first;
    if (job_.d_vectors) rows.d_vectors[at] = job_.d_vectors + sum * vectors * job_.H;
    if (job_.d_scalars) rows.d_scalars[at] = job_.d_scalars + (entry - first) * scalars * job_.H;
  }

 private:
  // The gradient of state k after step t but for what comes from above. Of a state that no step reads there
  // is only that of the final one.
  T* gradient_row(int k, int t, int i) const {
    const int s = at_.piece.segment(i);
    if (!elementwise || cell_.facts.carried[k]) return at_.carry_row(k, s);
    return const_cast<T*>(i < at_.alive(t + 1) ? job_.zeros : final_gradient(job_, k, s));  // only read
  }

  // The gradient of what the product of a stage has read.
  void pass_back(int stage, int t, int count) const {
    at_.through_weights(cell_.facts.stage(stage), job_.packed[stage], t, count, false,
                        [&](int s) { return at_.d_read_row(stage, s); });
    for (int i = 0; i < count; ++i) at_.rows.slots[i] = at_.slots_row(t, at_.piece.segment(i));
  }

  void block(int stage, int group, int groups, int row, int count) {
    frame_.rows = count;
    frame_.groups = groups;
    frame_.unit = group * L;
    frame_.row = row;
    frame_.vectors = job_.vectors + std::ptrdiff_t{group} * L;
    execute(cell_.backward[stage], frame_);
  }

  const BackRows<T, L, Registers>& at_;
  const BackwardJob<T>& job_;
  const LinkedCell<T>& cell_;
  const int stages_, all_, groups_, rows_at_once_;  // all groups; those that are taken at once
  Frame<T> frame_;
};

}  // namespace
}  // namespace elman
