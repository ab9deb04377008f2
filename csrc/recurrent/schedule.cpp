#include "recurrent/schedule.h"

#include <algorithm>
#include <cmath>

#include "machine/costs.h"

namespace elman {
namespace {

constexpr double step_overhead_ns = 30;

// Threads that share units wait for each other: they must be faster by this much than threads that do not.
constexpr double worth_waiting = 0.98;

// Nanoseconds a thread takes for one step of `rows` rows when it holds 1/unit_parts of the units.
double step_ns(const Work& w, double rows, int unit_parts, double weights) {
  const double mine = weights * std::ceil(double(w.groups) / unit_parts) / w.groups;
  const double compute = mine / w.vector_bytes * rows / multiplies_per_ns;
  const double stream = stream_ns(mine, std::ceil(rows / w.tile_rows));
  // Loads run ahead of the arithmetic, but not perfectly: some of the shorter time shows.
  return std::max(compute, stream) + 0.5 * std::min(compute, stream) + step_overhead_ns +
         (unit_parts > 1 ? barrier_ns : 0);
}

}  // namespace

Schedule choose_schedule(const Work& w, int threads) {
  Schedule best;
  if (w.rows == 0 || w.steps == 0) return best;
  const double mean_rows = double(w.total) / w.steps;
  double best_ns = 0;
  for (int unit_parts = 1; unit_parts <= std::min(threads, w.groups); ++unit_parts) {
    for (int teams = 1; teams * unit_parts <= threads; ++teams) {
      const int used = teams * unit_parts;
      const int row_parts = std::min((teams + w.directions - 1) / w.directions, w.rows);
      const double rows = std::max(1.0, mean_rows / row_parts);
      // Ahead pays where few rows share a load of the weights; with many it only adds traffic.
      const bool ahead = w.steps > 1 && w.x_bytes > 0 && rows <= 2 * w.tile_rows;
      const double rounds = std::ceil(double(w.directions * row_parts) / teams);
      const double ns = rounds * w.steps * step_ns(w, rows, unit_parts, w.h_bytes + (ahead ? 0 : w.x_bytes)) +
                        (used > 1 ? dispatch_ns(w.warm) : 0);
      if (best_ns == 0 || ns < best_ns * (unit_parts > best.unit_parts ? worth_waiting : 1)) {
        best_ns = ns;
        best = {row_parts, unit_parts, ahead, used};
      }
    }
  }
  return best;
}

int steps_ahead(int rows) { return std::max(1, 48 / std::max(1, rows)); }

void deal_rows(const PlanView& plan, int parts, int part, Piece& piece) {
  const auto share = [&](int i) { return static_cast<int>(int64_t{plan.segments} * i / parts); };
  const bool ragged = plan.steps > 0 && plan.alive[plan.steps - 1] < plan.segments;
  piece.segment_begin = ragged ? part : share(part);
  piece.segment_stride = ragged ? parts : 1;
  piece.segments = ragged ? (plan.segments - part + parts - 1) / parts : share(part + 1) - share(part);
}

}  // namespace elman
