// Who computes what: how a layer's directions, rows and units are parted over threads, and how many steps
// of the x-part are computed ahead. Only speed depends on these choices, never a bit of the result.
#pragma once

#include "kernels/recurrent.h"

namespace elman {

// The measures of one layer call that the cost model looks at.
struct Work {
  int directions = 1;
  int rows = 0, steps = 0;  // of the largest plan
  int64_t total = 0;        // rows summed over steps
  int groups = 0;           // of units
  double x_bytes = 0;       // weights of the x-part, 0 where it is not computed
  double h_bytes = 0;       // weights of the h-part
  int tile_rows = 1;
  int vector_bytes = 4;
  bool warm = false;  // the workers are awake
};

struct Schedule {
  int row_parts = 1;   // pieces each direction's rows are cut into
  int unit_parts = 1;  // threads that share a piece, each with some of its units
  bool ahead = false;  // compute the x-part ahead
  int threads = 1;     // a multiple of unit_parts
};

Schedule choose_schedule(const Work& work, int threads);

// Steps of the x-part to compute at once for a piece with this many rows.
int steps_ahead(int rows);

// Gives a piece its rows, one of `parts` shares: neighbours where all rows are of one length, else every
// parts-th, so that at each step all pieces have as many (rows are sorted by length).
void deal_rows(const PlanView& plan, int parts, int part, Piece& piece);

}  // namespace elman
