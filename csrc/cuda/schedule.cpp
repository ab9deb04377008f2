#include "cuda/schedule.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace elman::cuda {
namespace {

// Cycles, from the literature on the H100 (none measured by this project yet).
constexpr double clock_mhz = 1750;
constexpr double shared_bytes_per_cycle = 128, global_bytes_per_cycle = 30;
constexpr double tensor_cycles = 3.3, float_cycles = 4;  // of a tile's product, on one multiprocessor
constexpr double cell_cycles = 350, block_cycles = 60, cluster_cycles = 330, push_cycles = 230,
                 grid_cycles = 350;
constexpr double global_latency = 600, launch_cycles = 4400;

int ceil_div(int a, int b) { return (a + b - 1) / b; }

class Chooser {
 public:
  Chooser(const Task& task, const Machine& machine) : task_(task), machine_(machine), tile_(task.tile) {
    padded_ = ceil_div(task.H, group) * group;
    k_tiles_ = task.inputs * padded_ / tile_.k;
  }

  // Keeps the cheapest layout of a kind.
  void consider(Kind kind, Schedule& best) const {
    for (int units = group; units <= std::min(padded_, 256); units += group)
      for (const int tiles : {1, 2, 4})
        for (const int splits : {1, 2, 4, 8, 16}) {
          Schedule schedule;
          schedule.kind = kind;
          schedule.tiles = tiles;
          schedule.layout.units = units;
          schedule.layout.splits = splits;
          if (complete(schedule) && schedule.microseconds < best.microseconds) best = schedule;
        }
  }

 private:
  std::size_t shared_bytes(const Schedule& s, int inboxes) const {
    const std::size_t pair = 2 * tile_.element_bytes, groups = s.layout.units / group, chunk = s.layout.chunk;
    const std::size_t partial =
        s.layout.splits == 1 ? 0 : s.layout.splits * groups * s.tiles * task_.outputs * 512;
    return groups * chunk * task_.outputs * tile_.weight_pairs * pair +
           inboxes * chunk * s.tiles * tile_.input_pairs * pair + partial + 2 * sizeof(uint64_t);
  }

  // Fills in the rest; false where the layout has no place.
  bool complete(Schedule& s) const {
    Layout& l = s.layout;
    const int groups = l.units / group;
    if (l.threads() > most_threads || l.splits < s.tiles || (l.splits > k_tiles_ && l.splits > s.tiles))
      return false;
    l.ranks = ceil_div(padded_, l.units);
    l.teams = std::max(1, ceil_div(task_.rows, s.tiles * tile_rows));
    l.chunk = k_tiles_;
    l.pushed = s.kind == Kind::push;
    const bool shared = in_shared_memory(s.kind);
    const int blocks = task_.directions * l.teams * l.ranks;
    if (s.kind == Kind::block && l.ranks != 1) return false;
    int places = machine_.multiprocessors;
    if (in_clusters(s.kind)) {
      if (l.ranks == 1 || l.ranks >= static_cast<int>(machine_.clusters.size())) return false;
      places = machine_.clusters[l.ranks] * l.ranks;
      if (places == 0) return false;
    }
    if (s.kind == Kind::grid && (l.ranks == 1 || blocks > machine_.blocks_at_once)) return false;
    const std::size_t room = machine_.shared_bytes;
    if (s.kind == Kind::launch)
      while (l.chunk > 1 && shared_bytes(s, 1) > room) l.chunk = ceil_div(l.chunk, 2);
    s.shared_bytes = shared_bytes(s, shared ? 2 : 1);
    if (s.shared_bytes > room) return false;
    if (s.kind == Kind::grid)
      s.words = std::size_t(2) * task_.directions * l.teams * l.chunk * s.tiles * tile_.input_pairs *
                tile_.element_bytes / 2;

    const double products = double(groups) * k_tiles_ * task_.outputs * s.tiles;
    const double compute = products * (tile_.tensor_cores ? tensor_cycles : float_cycles);
    const double pair = 2 * tile_.element_bytes;
    const double weights = double(groups) * k_tiles_ * task_.outputs * tile_.weight_pairs * pair;
    const double inputs = double(k_tiles_) * s.tiles * tile_.input_pairs * pair;
    // Every warp reads all inputs of its part of the sum. Few warps cannot hide the latency of what they
    // read.
    const int held = std::min(k_tiles_, l.splits * tile_.held(task_.outputs, s.tiles));
    const double from_memory = 1 - (s.kind == Kind::launch ? 0 : double(held) / k_tiles_);
    const double reads = (weights * from_memory + inputs * groups) / shared_bytes_per_cycle;
    const double waiting = 30.0 * ceil_div(k_tiles_, l.splits);
    double cycles = std::max({compute, reads, waiting}) + cell_cycles;
    if (l.splits > 1) cycles += 60 + 8.0 * l.splits * task_.outputs;
    switch (s.kind) {
      case Kind::block:
        cycles += block_cycles;
        break;
      case Kind::cluster:
      case Kind::push:
        cycles +=
            (s.kind == Kind::push ? push_cycles : cluster_cycles) + 4.0 * l.ranks * s.tiles * task_.inputs;
        break;
      case Kind::grid:
        // Words are twice the values. Rows that are not there are not read.
        cycles += grid_cycles + 2 * inputs *
                                    std::min(1.0, double(task_.rows) / (l.teams * s.tiles * tile_rows)) /
                                    global_bytes_per_cycle;
        break;
      case Kind::launch:
        cycles += launch_cycles + global_latency + (weights + inputs) / global_bytes_per_cycle;
        break;
    }
    s.microseconds = cycles * ceil_div(blocks, places) / clock_mhz;
    return true;
  }

  const Task& task_;
  const Machine& machine_;
  const Tile tile_;
  int padded_, k_tiles_;
};

}  // namespace

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::block:
      return "block";
    case Kind::cluster:
      return "cluster";
    case Kind::push:
      return "push";
    case Kind::grid:
      return "grid";
    default:
      return "launch";
  }
}

Schedule choose_schedule(const Task& task, const Machine& machine, const std::string& kind) {
  const Chooser chooser(task, machine);
  Schedule best;
  best.microseconds = std::numeric_limits<double>::infinity();
  bool known = kind.empty();
  for (const Kind one : kinds) {
    // push is not chosen before it has been measured.
    if (kind.empty() ? one == Kind::push : kind != name_of(one)) continue;
    known = true;
    chooser.consider(one, best);
  }
  if (!known)
    throw std::invalid_argument("schedule: expected block, cluster, push, grid or launch, got '" + kind +
                                "'");
  if (best.microseconds == std::numeric_limits<double>::infinity())
    throw std::invalid_argument("schedule: no '" + kind + "' for H = " + std::to_string(task.H) + " and " +
                                std::to_string(task.rows) + " rows on this GPU");
  return best;
}

}  // namespace elman::cuda
