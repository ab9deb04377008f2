#include "recurrent/schedule.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "machine/costs.h"

namespace elman {
namespace {

// Threads that share units wait for each other. They must be faster than threads that do not, by this much.
constexpr double worth_waiting = 0.98;

int ceil_divided(int a, int b) { return (a + b - 1) / b; }

// Nanoseconds a thread takes for one step of so many segments when it holds 1/unit_parts of the units.
double step_ns(const Work& w, double segments, int unit_parts, double weights) {
  const double mine = weights * std::ceil(double(w.groups) / unit_parts) / w.groups;
  const double compute = mine / w.vector_bytes * segments / multiplies_per_ns;
  const double stream = stream_ns(mine, std::ceil(segments / w.tile_rows));
  // Loads overlap with the arithmetic, but not perfectly: a part of the shorter time is added.
  return std::max(compute, stream) + 0.5 * std::min(compute, stream) + step_overhead_ns +
         (unit_parts > 1 ? barrier_ns : 0);
}

// The segments that a piece has at a step, on average.
double mean_segments(const Work& w, int segment_parts) {
  return std::max(1.0, double(w.total) / w.steps / segment_parts);
}

// Computing ahead pays if few segments share a load of the weights. With many it only moves more memory.
bool pays_ahead(const Work& w, double segments) {
  return w.steps > 1 && w.x_bytes > 0 && segments <= 2 * w.tile_rows;
}

Schedule cheapest_schedule(const Work& w, int threads) {
  Schedule best;
  double best_ns = 0;
  for (int unit_parts = 1; unit_parts <= std::min(threads, w.groups); ++unit_parts) {
    for (int teams = 1; teams * unit_parts <= threads; ++teams) {
      const int used = teams * unit_parts;
      const int segment_parts = std::min(ceil_divided(teams, w.directions), w.segments);
      const double segments = mean_segments(w, segment_parts);
      const bool ahead = pays_ahead(w, segments);
      const double rounds = std::ceil(double(w.directions * segment_parts) / teams);
      const double weights = w.h_bytes + (ahead ? 0 : w.x_bytes);
      const double ns =
          rounds * w.steps * step_ns(w, segments, unit_parts, weights) + (used > 1 ? dispatch_ns(w.warm) : 0);
      if (best_ns == 0 || ns < best_ns * (unit_parts > best.unit_parts ? worth_waiting : 1)) {
        best_ns = ns;
        best = {segment_parts, unit_parts, ahead, used};
      }
    }
  }
  return best;
}

// As many threads as can be put to work in this way, however little there is to do.
Schedule forced_schedule(const Work& w, int threads, ForcedSchedule wanted) {
  Schedule forced;
  if (wanted != ForcedSchedule::rows)
    forced.unit_parts = std::min({wanted == ForcedSchedule::units ? threads : 2, threads, w.groups});
  const int teams = threads / forced.unit_parts;
  if (wanted != ForcedSchedule::units) {
    const int least = wanted == ForcedSchedule::both ? 2 : 1;
    forced.segment_parts = std::min(std::max(least, ceil_divided(teams, w.directions)), w.segments);
  }
  forced.threads = std::min(teams, w.directions * forced.segment_parts) * forced.unit_parts;
  forced.ahead = pays_ahead(w, mean_segments(w, forced.segment_parts));
  return forced;
}

}  // namespace

ForcedSchedule schedule_of_environment() {
  const char* const given = std::getenv("ELMAN_SCHEDULE");
  if (!given || !*given) return ForcedSchedule::any;
  const std::string word = given;
  if (word == "rows") return ForcedSchedule::rows;
  if (word == "units") return ForcedSchedule::units;
  if (word == "both") return ForcedSchedule::both;
  throw std::invalid_argument("ELMAN_SCHEDULE: expected rows, units or both, got '" + word + "'");
}

Schedule choose_schedule(const Work& w, int threads, ForcedSchedule wanted) {
  if (w.segments == 0 || w.steps == 0) return {};
  return wanted == ForcedSchedule::any ? cheapest_schedule(w, threads) : forced_schedule(w, threads, wanted);
}

int steps_ahead(int segments) { return std::max(1, 48 / std::max(1, segments)); }

void deal_segments(const PlanView& plan, int parts, int part, Piece& piece) {
  const auto share = [&](int i) { return static_cast<int>(int64_t{plan.segments} * i / parts); };
  const bool ragged = plan.steps > 0 && plan.alive[plan.steps - 1] < plan.segments;
  piece.segment_begin = ragged ? part : share(part);
  piece.segment_stride = ragged ? parts : 1;
  piece.segments = ragged ? ceil_divided(plan.segments - part, parts) : share(part + 1) - share(part);
}

}  // namespace elman
