#include "cuda/schedule.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace elman::cuda {
namespace {

// Cycles, from the literature on the H100 (none measured by this project yet).
constexpr double clock_mhz = 1750;
constexpr double shared_bytes_per_cycle = 128, cluster_bytes_per_cycle = 13;  // of a multiprocessor
constexpr double global_bytes_per_cycle = 3942, most_global_bytes = 64;  // of the GPU; of a multiprocessor
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

  // Keeps the cheapest layout of a kind. Few rows for each team leave multiprocessors idle or little to pass
  // on.
  void consider(Kind kind, Schedule& best) const {
    for (int units = group; units <= std::min(padded_, 256); units += group)
      for (const int tiles : {1, 2, 4})
        for (const int splits : {1, 2, 4, 8, 16})
          for (const bool spread : {false, true}) {
            Schedule schedule;
            schedule.kind = kind;
            schedule.tiles = tiles;
            schedule.layout.units = units;
            schedule.layout.splits = splits;
            if (complete(schedule, spread) && schedule.microseconds < best.microseconds) best = schedule;
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

  // How many blocks of teams of so many run at once.
  int places(Kind kind, int ranks) const {
    if (!in_clusters(kind)) return kind == Kind::grid ? machine_.blocks_at_once : machine_.multiprocessors;
    return ranks < static_cast<int>(machine_.clusters.size()) ? machine_.clusters[ranks] * ranks : 0;
  }

  // As few teams as have place for all rows, or with `spread` as many as run at once.
  int teams(const Schedule& s, int places, bool spread) const {
    const int least = ceil_div(task_.rows, s.tiles * tile_rows);
    const int most = std::min(task_.rows, places / (task_.directions * s.layout.ranks));
    if (!spread || most <= least) return least;
    return ceil_div(task_.rows, ceil_div(task_.rows, most));  // the same rows in fewer teams
  }

  // Fills in the rest; false where the layout has no place.
  bool complete(Schedule& s, bool spread) const {
    Layout& l = s.layout;
    if (l.threads() > most_threads || l.splits < s.tiles || (l.splits > k_tiles_ && l.splits > s.tiles))
      return false;
    l.ranks = ceil_div(padded_, l.units);
    if (s.kind != Kind::launch && (s.kind == Kind::block) != (l.ranks == 1)) return false;
    const int at_once = places(s.kind, l.ranks);
    if (at_once == 0) return false;
    l.teams = teams(s, at_once, spread);
    l.chunk = k_tiles_;
    l.pushed = s.kind == Kind::push;
    const int blocks = task_.directions * l.teams * l.ranks;
    if (s.kind == Kind::grid && blocks > at_once) return false;
    const std::size_t room = machine_.shared_bytes;
    if (s.kind == Kind::launch)
      while (l.chunk > 1 && shared_bytes(s, 1) > room) l.chunk = ceil_div(l.chunk, 2);
    s.shared_bytes = shared_bytes(s, in_shared_memory(s.kind) ? 2 : 1);
    if (s.shared_bytes > room) return false;
    if (s.kind == Kind::grid)
      s.words = std::size_t(2) * task_.directions * l.teams * l.chunk * s.tiles * tile_.input_pairs *
                tile_.element_bytes / 2;
    s.microseconds = cycles(s, blocks) * ceil_div(blocks, at_once) / clock_mhz;
    return true;
  }

  // Of a step, for blocks that all run at once.
  double cycles(const Schedule& s, int blocks) const {
    const Layout& l = s.layout;
    const int groups = l.units / group;
    const double products = double(groups) * k_tiles_ * task_.outputs * s.tiles;
    const double compute = products * (tile_.tensor_cores ? tensor_cycles : float_cycles);
    const double pair = 2 * tile_.element_bytes;
    const double weights = double(groups) * k_tiles_ * task_.outputs * tile_.weight_pairs * pair;
    const double inputs = double(k_tiles_) * s.tiles * tile_.input_pairs * pair;
    // What a block is passed; there is nothing for columns without a row.
    const double passed = inputs * ceil_div(task_.rows, l.teams) / (s.tiles * tile_rows);
    const double global_rate = std::min(most_global_bytes, global_bytes_per_cycle / blocks);
    // Every warp reads all inputs of its part of the sum. Few warps cannot hide the latency of what they
    // read.
    const int held = std::min(k_tiles_, l.splits * tile_.held(task_.outputs, s.tiles));
    const double from_memory = 1 - (s.kind == Kind::launch ? 0 : double(held) / k_tiles_);
    const double reads = (weights * from_memory + inputs * groups) / shared_bytes_per_cycle;
    const double waiting = 30.0 * ceil_div(k_tiles_, l.splits);
    const double sums = l.splits > 1 ? 60 + 8.0 * l.splits * task_.outputs : 0;
    const double own = std::max({compute, reads, waiting}) + sums + cell_cycles;
    switch (s.kind) {
      case Kind::block:
        return own + block_cycles;
      case Kind::cluster:
        return own + cluster_cycles + passed / cluster_bytes_per_cycle;
      case Kind::push:
        return own + push_cycles + passed / cluster_bytes_per_cycle;
      case Kind::grid:
        return own + grid_cycles + 2 * passed / global_rate;  // words are twice what they hold
      default:
        return own + launch_cycles + global_latency + (weights + inputs) / global_rate;
    }
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
