// A schedule made concrete: the pieces of all directions with their barriers and scratch, dealt to threads.
#pragma once

#include <deque>
#include <vector>

#include "engine/buffer.h"
#include "engine/schedule.h"
#include "engine/threads.h"

namespace elman {

class Pieces {
 public:
  // `rows_at_once(rows)`: how many rows of pointers a piece of so many rows needs at a time.
  template <class RowsAtOnce>
  Pieces(const Schedule& schedule, const std::vector<PlanView>& plans, int blocks,
         const RowsAtOnce& rows_at_once)
      : schedule_(schedule) {
    for (int d = 0; d < static_cast<int>(plans.size()); ++d) {
      for (int i = 0; i < schedule.row_parts; ++i) {
        Barrier* barrier = schedule.unit_parts > 1 ? &barriers_.emplace_back(schedule.unit_parts) : nullptr;
        for (int u = 0; u < schedule.unit_parts; ++u) {
          Piece piece;
          piece.row_begin = cut(plans[d], schedule.row_parts, i);
          piece.row_end = cut(plans[d], schedule.row_parts, i + 1);
          piece.block_begin = blocks * u / schedule.unit_parts;
          piece.block_end = blocks * (u + 1) / schedule.unit_parts;
          piece.barrier = barrier;
          Buffer<char> scratch(scratch_bytes(rows_at_once(piece.row_end - piece.row_begin)));
          piece.scratch = scratch.data();
          scratch_.push_back(std::move(scratch));
          entries_.push_back({d, piece});
        }
      }
    }
  }

  // f(direction, piece) for every piece. Pieces that share a barrier run at the same time: the schedule
  // has as many threads as pieces there, and pieces without one are dealt round.
  template <class F> void run(ThreadTeam& team, const F& f) const {
    const int threads = schedule_.threads;
    team.run(threads, [&](int thread) {
      for (size_t i = thread; i < entries_.size(); i += threads) f(entries_[i].direction, entries_[i].piece);
    });
  }

  int threads() const { return schedule_.threads; }

 private:
  struct Entry { int direction; Piece piece; };
  Schedule schedule_;
  std::deque<Barrier> barriers_;
  std::vector<Buffer<char>> scratch_;
  std::vector<Entry> entries_;
};

}  // namespace elman
