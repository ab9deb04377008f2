#include "cuda/schedule.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>

namespace elman::cuda {
namespace {

// Cycles, from the literature on the H100 (none measured by this project yet).
constexpr double clock_mhz = 1750;
constexpr double shared_bytes_per_cycle = 128, cluster_bytes_per_cycle = 13;  // of a multiprocessor
constexpr double global_bytes_per_cycle = 3942, most_global_bytes = 64;  // of the GPU; of a multiprocessor
constexpr double tensor_cycles = 3.3, float_cycles = 4;  // of a tile's product, on one multiprocessor
constexpr double cell_cycles = 350, block_cycles = 60, cluster_cycles = 230, grid_cycles = 350;
constexpr double global_latency = 600, launch_cycles = 4400;

int ceil_div(int a, int b) { return a / b + (a % b != 0); }

// What a block holds and does in a step.
struct Work {
  Space space;
  double products;  // of a tile of weights and a tile of segments
  double reads;     // bytes, beside the weights
  double held;      // the part of the weights that lies in registers
  double chain;     // tiles that a warp reads one after the other
  double passed;    // bytes that come from the team's blocks
};

class Chooser {
 public:
  Chooser(const Task& task, const Machine& machine)
      : task_(task), machine_(machine), tile_(task.tile), padded_(ceil_div(task.H, group) * group) {}

  // Adds all layouts of a kind. Few segments for each team leave multiprocessors idle or little to pass on.
  void add(Kind kind, std::vector<Schedule>& to) const {
    for (int units = group; units <= std::min(padded_, 256); units += group)
      for (const int tiles : {1, 2, 4})
        for (const int splits : {1, 2, 4, 8, 16}) {
          int teams = 0;
          for (const bool spread : {false, true}) {
            Schedule schedule;
            schedule.kind = kind;
            schedule.tiles = tiles;
            schedule.layout.units = units;
            schedule.layout.splits = splits;
            if (!complete(schedule, spread) || schedule.layout.teams == teams) continue;
            teams = schedule.layout.teams;
            to.push_back(schedule);
          }
        }
  }

 private:
  bool scatters(const Schedule& s) const { return task_.backward && s.kind != Kind::launch; }
  double segments_of_team(const Layout& l) const { return ceil_div(task_.segments, l.teams); }
  int k_tiles() const { return (task_.backward ? task_.gates : 1) * padded_ / tile_.k; }

  // The block's units of all sums (gather.h).
  Work gather(const Schedule& s) const {
    const Layout& l = s.layout;
    const int groups = l.units / group, outputs = task_.backward ? 1 : task_.gates;
    Work w;
    w.space = gather_space(tile_, l, outputs, s.tiles);
    w.products = double(groups) * k_tiles() * outputs * s.tiles;
    w.reads = double(w.space.inbox) * groups * k_tiles() / l.staged;
    w.chain = ceil_div(k_tiles(), l.splits);
    w.held = std::min(1.0, tile_.held(outputs, s.tiles) / w.chain);
    w.passed = w.space.inbox * segments_of_team(l) / (s.tiles * tile_segments);
    return w;
  }

  // All sums of the block's units (scatter.h).
  Work scatter(const Schedule& s) const {
    const Layout& l = s.layout;
    const Sets sets(l, task_.H, tile_.set);
    const int groups = l.units / group, warps = groups * l.splits, tiles = task_.gates * l.units / tile_.k;
    Work w;
    w.space = scatter_space(tile_, l, task_.gates, task_.H, s.tiles);
    w.products = double(sets.count) * tile_.set * tiles * s.tiles;
    w.reads = double(w.space.inbox) * sets.count;
    const int share = ceil_div(tiles, sets.splits), passes = ceil_div(sets.count, warps);
    w.chain = share * passes + ceil_div(l.ranks * sets.splits, l.splits * 4);
    w.held = std::min(1.0, double(tile_.held_of_sets(s.tiles)) / share) / passes;
    w.passed = w.space.arriving * std::ceil(segments_of_team(l) / 2) * 2 / (s.tiles * tile_segments);
    return w;
  }

  // How many blocks of teams of so many run at once.
  int places(Kind kind, int ranks) const {
    if (kind != Kind::cluster) return kind == Kind::grid ? machine_.blocks_at_once : machine_.multiprocessors;
    return ranks < static_cast<int>(machine_.clusters.size()) ? machine_.clusters[ranks] * ranks : 0;
  }

  // As few teams as have place for all segments, or with `spread` as many as run at once.
  int teams(const Schedule& s, int places, bool spread) const {
    const int least = ceil_div(task_.segments, s.tiles * tile_segments);
    const int most = std::min(task_.segments, places / (task_.directions * s.layout.ranks));
    if (!spread || most <= least) return least;
    return ceil_div(task_.segments, ceil_div(task_.segments, most));  // the same segments in fewer teams
  }

  // Fills in the rest; false where the layout has no place.
  bool complete(Schedule& s, bool spread) const {
    Layout& l = s.layout;
    l.ranks = ceil_div(padded_, l.units);
    l.staged = k_tiles();
    if (l.threads() > most_threads || l.splits < s.tiles || l.splits > std::max(l.staged, s.tiles))
      return false;
    if (s.kind != Kind::launch && (s.kind == Kind::block) != (l.ranks == 1)) return false;
    const int at_once = places(s.kind, l.ranks);
    if (at_once == 0) return false;
    l.teams = teams(s, at_once, spread);
    const int64_t all = int64_t{task_.directions} * l.teams * l.ranks;
    if (all > (s.kind == Kind::grid ? at_once : INT32_MAX)) return false;
    const int blocks = static_cast<int>(all);
    Work work = scatters(s) ? scatter(s) : gather(s);
    s.shared_bytes = shared_bytes(s, work.space);
    while (s.kind == Kind::launch && l.staged > 1 && s.shared_bytes > room()) {
      l.staged = ceil_div(l.staged, 2);
      s.shared_bytes = shared_bytes(s, (work = gather(s)).space);
    }
    if (s.shared_bytes > room()) return false;
    if (s.kind == Kind::grid)
      s.words = 2 * work.space.arriving / 4 * task_.directions * l.teams * (scatters(s) ? l.ranks : 1);
    s.microseconds = cycles(s, work, blocks) * ceil_div(blocks, at_once) / clock_mhz;
    return true;
  }

  std::size_t room() const { return machine_.shared_bytes; }

  std::size_t shared_bytes(const Schedule& s, const Space& space) const {
    const bool shared = in_shared_memory(s.kind);  // then with place for what comes in two steps
    const std::size_t inboxes =
        scatters(s) ? space.inbox + (shared ? 2 * space.arriving : 0) : (shared ? 2 : 1) * space.inbox;
    return space.weights + inboxes + space.partial + 2 * sizeof(uint64_t);
  }

  // Of a step, for blocks that all run at once.
  double cycles(const Schedule& s, const Work& w, int blocks) const {
    const Layout& l = s.layout;
    const double global_rate = std::min(most_global_bytes, global_bytes_per_cycle / blocks);
    const double weights = double(w.space.weights) * k_tiles() / l.staged;
    const double compute = w.products * (tile_.tensor_cores ? tensor_cycles : float_cycles);
    const double from_memory = s.kind == Kind::launch ? 1 : 1 - w.held;
    const double reads = (weights * from_memory + w.reads) / shared_bytes_per_cycle;
    // Few warps cannot hide the latency of what they read.
    const double sums = l.splits > 1 ? 60 + w.space.partial / shared_bytes_per_cycle : 0;
    const double own = std::max({compute, reads, 30 * w.chain}) + sums + cell_cycles;
    switch (s.kind) {
      case Kind::block:
        return own + block_cycles;
      case Kind::cluster:
        return own + cluster_cycles + w.passed / cluster_bytes_per_cycle;
      case Kind::grid:
        return own + grid_cycles + 2 * w.passed / global_rate;  // words are twice what they hold
      default:
        return own + launch_cycles + global_latency + (weights + w.passed) / global_rate;
    }
  }

  const Task& task_;
  const Machine& machine_;
  const Tile tile_;
  const int padded_;
};

}  // namespace

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::block:
      return "block";
    case Kind::cluster:
      return "cluster";
    case Kind::grid:
      return "grid";
    default:
      return "launch";
  }
}

std::vector<Schedule> schedules_for(const Task& task, const Machine& machine, const std::string& kind) {
  const Chooser chooser(task, machine);
  std::vector<Schedule> found;
  bool known = kind.empty();
  for (const Kind one : kinds) {
    if (!kind.empty() && kind != name_of(one)) continue;
    known = true;
    chooser.add(one, found);
  }
  if (!known)
    throw std::invalid_argument("schedule: expected block, cluster, grid or launch, got '" + kind + "'");
  if (found.empty())
    throw std::invalid_argument("schedule: no '" + kind + "' for H = " + std::to_string(task.H) + " and " +
                                std::to_string(task.segments) + " segments on this GPU");
  std::stable_sort(found.begin(), found.end(),
                   [](const Schedule& a, const Schedule& b) { return a.microseconds < b.microseconds; });
  return found;
}

}  // namespace elman::cuda
