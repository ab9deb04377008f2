#include "engine/schedule.h"

#include <algorithm>
#include <cmath>

namespace elman {
namespace {

// Rough rates of one core, in bytes of weights and in multiply-adds per nanosecond. They only rank schedules.
constexpr double l2_bytes = 1 << 20, l3_bytes = 16 << 20;
double bandwidth(double bytes) { return bytes <= l2_bytes ? 80 : bytes <= l3_bytes ? 40 : 15; }

constexpr double barrier_ns = 400, dispatch_ns = 4000;

// Nanoseconds one thread of a piece takes for one step of `rows` rows.
double step_ns(const Work& w, double rows, int unit_parts, double weights) {
  const double blocks = std::ceil(double(w.blocks) / unit_parts);
  const double share = blocks / w.blocks;
  const double tiles = std::ceil(rows / w.tile_rows);
  const double vector_bytes = w.blocks ? weights / w.blocks : 0;
  // A tile of few rows is bound by loading its weights from the L1 cache, at two loads a cycle.
  const double tile_ns = std::max(rows / tiles, 2.0) * vector_bytes / 32 / 2 / 3.5;
  const double compute = tiles * blocks * tile_ns;
  const double stream = weights * share / bandwidth(weights * share);
  return std::max(compute, stream) + 30;
}

}  // namespace

Schedule choose_schedule(const Work& w, int threads) {
  Schedule best;
  if (w.rows == 0 || w.steps == 0) return best;
  const double mean_rows = double(w.total) / w.steps;
  double best_ns = 0;
  for (int row_parts = 1; row_parts <= std::min(threads, w.rows); ++row_parts) {
    const int pieces = w.directions * row_parts;
    const int most_units = std::max(1, std::min(threads / pieces, w.blocks));
    for (int unit_parts : {1, most_units}) {
      const int used = std::min(threads, pieces * unit_parts);
      const double rows = std::max(1.0, mean_rows / row_parts);
      // Ahead pays where few rows share a load of the weights; with many it only adds traffic.
      const bool ahead = w.steps > 1 && w.x_bytes > 0 && rows <= 2 * w.tile_rows;
      const double per_step = step_ns(w, rows, unit_parts, w.h_bytes + (ahead ? 0 : w.x_bytes)) +
                              (unit_parts > 1 ? barrier_ns : 0);
      const double rounds = std::ceil(double(pieces) * unit_parts / used);
      const double ns = per_step * w.steps * rounds + (used > 1 ? dispatch_ns : 0);
      if (best_ns == 0 || ns < best_ns) {
        best_ns = ns;
        best = {row_parts, unit_parts, ahead, used};
      }
    }
  }
  // One thread for what is over before the others have woken up.
  if (best.threads > 1) {
    Schedule alone = choose_schedule(w, 1);
    const double ns = w.directions * w.steps *
                      step_ns(w, std::max(1.0, mean_rows), 1, w.h_bytes + (alone.ahead ? 0 : w.x_bytes));
    if (ns <= best_ns) return alone;
  }
  return best;
}

int steps_ahead(int rows) { return std::max(1, 48 / std::max(1, rows)); }

int cut(const PlanView& plan, int parts, int i) {
  if (i <= 0) return 0;
  if (i >= parts) return plan.rows;
  const int64_t goal = plan.offset[plan.steps] * i / parts;
  int64_t sum = 0;
  int length = plan.steps;
  for (int r = 0; r < plan.rows; ++r) {
    while (length > 0 && plan.alive[length - 1] <= r) --length;
    // The row that straddles the goal goes to the side that holds more of it.
    if (sum + length / 2 >= goal) return r;
    sum += length;
  }
  return plan.rows;
}

}  // namespace elman
