// A schedule made concrete: the pieces of all directions with their barriers and scratch, dealt to threads.
#pragma once

#include <deque>
#include <vector>

#include "machine/buffer.h"
#include "machine/threads.h"
#include "recurrent/schedule.h"

namespace elman {

class Pieces {
 public:
  // `at_once`: how many steps of a piece's segments its scratch holds pointers for.
  Pieces(const Schedule& schedule, const std::vector<PlanView>& plans, int groups, int at_once)
      : schedule_(schedule) {
    const int directions = static_cast<int>(plans.size());
    for (int i = 0; i < schedule.segment_parts; ++i) {
      for (int d = 0; d < directions; ++d) {
        std::vector<Piece>& parts = shared_.emplace_back(Shared{d, {}}).parts;
        Barrier* barrier = schedule.unit_parts > 1 ? &barriers_.emplace_back(schedule.unit_parts) : nullptr;
        for (int u = 0; u < schedule.unit_parts; ++u) {
          Piece piece;
          deal_segments(plans[d], schedule.segment_parts, i, piece);
          piece.group_begin = groups * u / schedule.unit_parts;
          piece.group_end = groups * (u + 1) / schedule.unit_parts;
          piece.barrier = barrier;
          piece.member = u;
          piece.scratch = scratch_.emplace_back(scratch_bytes(std::size_t(piece.segments) * at_once)).data();
          parts.push_back(piece);
        }
      }
    }
  }

  // f(direction, piece) for every piece. The threads form teams of unit_parts; each team takes some of
  // the pieces of segments, one after the other, and its members one part of the units each.
  template <class F> void run(ThreadTeam& team, const F& f) const {
    team.run(threads(), [&](int thread) { of_thread(thread, f); });
  }

  // The same for those of one thread, in its order.
  template <class F> void of_thread(int thread, const F& f) const {
    const int members = schedule_.unit_parts, teams = schedule_.threads / members;
    for (size_t i = thread / members; i < shared_.size(); i += teams)
      f(shared_[i].direction, shared_[i].parts[thread % members]);
  }

  int threads() const { return schedule_.threads; }

 private:
  struct Shared {  // some segments of a direction, parted by units
    int direction;
    std::vector<Piece> parts;
  };
  Schedule schedule_;
  std::deque<Barrier> barriers_;
  std::vector<Buffer<char>> scratch_;
  std::vector<Shared> shared_;
};

}  // namespace elman
