// A schedule made concrete: the pieces of all directions with their barriers and scratch, dealt to threads.
#pragma once

#include <list>
#include <vector>

#include "machine/buffer.h"
#include "machine/threads.h"
#include "recurrent/schedule.h"

namespace elman {

class Pieces {
 public:
  // `at_once`: how many steps of a piece's segments its scratch holds pointers for.
  Pieces(const Schedule& schedule, const std::vector<PlanView>& plans, int groups, int at_once,
         const ScanScratch& scratch)
      : schedule_(schedule), directions_(static_cast<int>(plans.size())) {
    const int unit_parts = schedule.unit_parts;
    pieces_.reserve(std::size_t(schedule.segment_parts) * directions_ * unit_parts);
    for (int i = 0; i < schedule.segment_parts; ++i) {
      for (const PlanView& plan : plans) {
        Barrier* const barrier = unit_parts > 1 ? &barriers_.emplace_back(unit_parts) : nullptr;
        for (int u = 0; u < unit_parts; ++u) {
          Piece& piece = pieces_.emplace_back();
          deal_segments(plan, schedule.segment_parts, i, piece);
          piece.group_begin = groups * u / unit_parts;
          piece.group_end = groups * (u + 1) / unit_parts;
          piece.barrier = barrier;
          piece.member = u;
        }
      }
    }
    share_scratch(at_once, scratch);
  }

  // f(direction, piece) for every piece. The threads form teams of unit_parts; each team takes some of
  // the pieces of segments, one after the other, and its members one part of the units each.
  template <class F> void run(ThreadTeam& team, const F& f) const {
    team.run(threads(), [&](int thread) { of_thread(thread, f); });
  }

  // The same for those of one thread, in its order.
  template <class F> void of_thread(int thread, const F& f) const {
    const int members = schedule_.unit_parts, teams = schedule_.threads / members;
    const int shared = schedule_.segment_parts * directions_;  // pieces of segments
    for (int i = thread / members; i < shared; i += teams)
      f(i % directions_, pieces_[std::size_t(i) * members + thread % members]);
  }

  int threads() const { return schedule_.threads; }

 private:
  // One buffer for all. No two pieces write to one line of a cache.
  void share_scratch(int at_once, const ScanScratch& scratch) {
    const auto bytes = [&](const Piece& piece) {
      return (scratch.bytes(std::size_t(piece.segments) * at_once) / line + 1) * line;
    };
    std::size_t size = 0;
    for (const Piece& piece : pieces_) size += bytes(piece);
    scratch_ = Buffer<char>(size);
    char* next = scratch_.data();
    for (Piece& piece : pieces_) {
      piece.scratch = next;
      next += bytes(piece);
    }
  }

  static constexpr std::size_t line = 64;
  Schedule schedule_;
  int directions_;
  std::list<Barrier> barriers_;
  std::vector<Piece> pieces_;  // of the first segments: of each direction: each part of the units; and so on
  Buffer<char> scratch_;
};

}  // namespace elman
