// Who computes what: how a layer's directions, segments and units are dealt to threads, and how many steps
// of the x-part are computed ahead. Only speed depends on these choices, never a bit of the result.
#pragma once

#include "kernels/recurrent.h"

namespace elman {

// The measures of one layer that the cost model looks at.
struct Work {
  int directions = 1;
  int segments = 0, steps = 0;  // of the largest plan
  int64_t total = 0;            // entries: segments summed over steps
  int groups = 0;               // of units
  double x_bytes = 0;           // weights of the x-part, 0 where it is not computed
  double h_bytes = 0;           // weights of the h-part
  int meetings = 1;             // barriers of a step, if threads share the units
  int tile_rows = 1;
  int vector_bytes = 4;
  bool warm = false;  // the workers are awake
};

struct Schedule {
  int segment_parts = 1;  // pieces each direction's segments are cut into
  int unit_parts = 1;     // threads that share a piece, each with some of its units
  bool ahead = false;     // compute the x-part ahead
  int threads = 1;        // a multiple of unit_parts
};

// How a layer may be cut: as the cost model chooses, or, for tests, as ELMAN_SCHEDULE says: by rows of the
// batch (its segments) alone, by units alone, or by both.
enum class ForcedSchedule { any, rows, units, both };

// What ELMAN_SCHEDULE says now; throws std::invalid_argument for a word that is none of these. The caller
// must hold Python's lock, because os.environ is written under it.
ForcedSchedule schedule_of_environment();

Schedule choose_schedule(const Work& work, int threads, ForcedSchedule wanted);

// Steps of the x-part to compute at once for a piece with this many segments.
int steps_ahead(int segments);

// The steps that the forward pass takes ahead in this schedule; 0 for none.
int chunk_ahead(const Work& work, const Schedule& schedule);

// The steps of an elementwise cell that are taken together.
constexpr int most_elementwise = 32;
int chunk_elementwise(const Work& work, const Schedule& schedule);

// Where the backward pass begins the chunk of steps that ends before `end`.
int chunk_begin(const PlanView& plan, int end, int64_t entry_bytes);

// Gives a piece its segments, one of `parts` shares: neighbours where all are of one length, else every
// parts-th, so that at each step all pieces have as many (segments are sorted by length).
void deal_segments(const PlanView& plan, int parts, int part, Piece& piece);

}  // namespace elman
