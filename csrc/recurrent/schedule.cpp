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

// Loads overlap with the arithmetic, but not perfectly: a part of the shorter time is added.
double overlapped(double compute, double stream) {
  return std::max(compute, stream) + 0.5 * std::min(compute, stream);
}

// The segments that a piece has at a step, on average.
double mean_segments(const Work& w, int segment_parts) {
  return std::max(1.0, double(w.total) / w.steps / segment_parts);
}

// Those of the piece that has the most. Of segments of one length each piece has a share in whole numbers; of
// others some have one more at some steps.
double most_segments(const Work& w, int segment_parts) {
  const double most = ceil_divided(w.segments, segment_parts);
  if (w.total == int64_t{w.segments} * w.steps) return most;
  return std::min(most, mean_segments(w, segment_parts) + 0.5 * (1 - 1.0 / segment_parts));
}

// Computing ahead pays if few segments share a load of the weights. With many it only moves more memory.
bool pays_ahead(const Work& w, double segments) {
  return w.steps > 1 && w.x_bytes > 0 && segments <= 2 * w.tile_rows;
}

// Nanoseconds a thread takes for one step of a piece with 1/unit_parts of the units.
double step_ns(const Work& w, const Schedule& s) {
  const double share = std::ceil(double(w.groups) / s.unit_parts) / w.groups;
  const double segments = most_segments(w, s.segment_parts);
  const auto multiply = [&](double bytes, int steps) {  // takes so many steps at once; for one of them
    const double rows = segments * steps;
    return overlapped(bytes / w.vector_bytes * rows / multiplies_per_ns,
                      stream_ns(bytes, std::ceil(rows / w.tile_rows))) /
           steps;
  };
  const double products = s.ahead ? multiply(share * w.h_bytes, 1) +
                                        multiply(share * w.x_bytes, steps_ahead(static_cast<int>(segments)))
                                  : multiply(share * (w.h_bytes + w.x_bytes), 1);
  return products + step_overhead_ns + w.meetings * barrier_ns(s.unit_parts);
}

// The next number of parts, if there is one, that makes the largest part smaller: 1, 2, 3, 4, 5, 10 of 10.
int next_parts(int count, int parts) {
  const int largest = ceil_divided(count, parts);
  return largest > 1 ? ceil_divided(count, largest - 1) : count + 1;
}

// The cheapest of the ways to cut units and segments. Only those are looked at in which the largest part has
// another size. They are few even for many threads: small calls ask this for each of their layers.
class Choice {
 public:
  Choice(const Work& w, int threads) : w_(w), threads_(threads) {
    best_.ahead = pays_ahead(w, mean_segments(w, 1));
    best_ns_ = w.directions * w.steps * step_ns(w, best_);
  }

  Schedule cheapest() {
    for (int unit_parts = 1; unit_parts <= std::min(threads_, w_.groups);
         unit_parts = next_parts(w_.groups, unit_parts)) {
      const int teams = threads_ / unit_parts;
      // Where the directions do not divide the teams, each team takes a part of every direction.
      const int most = std::min(teams % w_.directions ? teams : teams / w_.directions, w_.segments);
      for (int parts = 1; parts < most; parts = next_parts(w_.segments, parts))
        consider(parts, unit_parts, teams);
      consider(most, unit_parts, teams);
    }
    return best_;
  }

 private:
  void consider(int segment_parts, int unit_parts, int most_teams) {
    const int pieces = w_.directions * segment_parts, rounds = ceil_divided(pieces, most_teams);
    Schedule s{segment_parts, unit_parts, pays_ahead(w_, mean_segments(w_, segment_parts)),
               ceil_divided(pieces, rounds) * unit_parts};
    const double ns = double(rounds) * w_.steps * step_ns(w_, s) + dispatch_ns(w_.warm, s.threads);
    if (ns >= best_ns_ * (unit_parts > best_.unit_parts ? worth_waiting : 1)) return;
    best_ns_ = ns;
    best_ = s;
  }

  const Work& w_;
  const int threads_;
  Schedule best_;
  double best_ns_;
};

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
  return wanted == ForcedSchedule::any ? Choice(w, threads).cheapest() : forced_schedule(w, threads, wanted);
}

int steps_ahead(int segments) { return std::max(1, 48 / std::max(1, segments)); }

int chunk_ahead(const Work& w, const Schedule& s) {
  return s.ahead ? std::min(w.steps, steps_ahead(ceil_divided(w.segments, s.segment_parts))) : 0;
}

// So many entries that the calls of a program's instructions cost little, so few that what is left between
// two programs stays in a cache.
int chunk_elementwise(const Work& w, const Schedule& s) {
  constexpr int entries = most_elementwise;
  const int segments = ceil_divided(std::max(1, w.segments), s.segment_parts);
  return std::min(std::max(1, w.steps), ceil_divided(entries, segments));
}

// A chunk has so many entries that there are few visits to the weight gradients, and that its slots are large
// beside what it costs to call the threads. More threads get no larger chunks: where a chunk ends, a sum
// ends, and bits would depend on it.
int chunk_begin(const PlanView& plan, int end, int64_t entry_bytes) {
  constexpr int64_t entries = 1000, bytes = int64_t{4} << 20;
  int64_t wanted = std::max(entries, bytes / entry_bytes);
  int t = end;
  for (; t > 0 && wanted > 0; --t) wanted -= plan.alive_at(t - 1);
  return t;
}

void deal_segments(const PlanView& plan, int parts, int part, Piece& piece) {
  const auto share = [&](int i) { return static_cast<int>(int64_t{plan.segments} * i / parts); };
  const bool ragged = plan.steps > 0 && plan.alive[plan.steps - 1] < plan.segments;
  piece.segment_begin = ragged ? part : share(part);
  piece.segment_stride = ragged ? parts : 1;
  piece.segments = ragged ? ceil_divided(plan.segments - part, parts) : share(part + 1) - share(part);
}

}  // namespace elman
