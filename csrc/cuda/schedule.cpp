#include "cuda/schedule.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>

namespace elman::cuda {
namespace {

// Cycles of a multiprocessor, fitted to what 378 layouts of 44 scans took on an H200 (bench.gpu schedules),
// with the kernels of 28 November 2026 (docs/gpu.md), before their last changes. Of these scans the layout
// that the model chooses takes 1.05 times as long as the fastest, in the mean. What a unit's step takes
// beside the products is most of it.
constexpr double clock_mhz = 1755;
constexpr double shared_bytes_per_cycle = 90;              // of a multiprocessor
constexpr double tensor_cycles = 1.9, float_cycles = 5.5;  // of a tile's product, on one multiprocessor
constexpr double tensor_chain = 30, float_chain = 18, tile_chain = 35;  // of a product, of a tile, in a warp
constexpr double forward_cell = 2300, backward_cell = 2900, warp_cycles = 50, first_split = 180,
                 each_split = 26;
constexpr double block_cycles = 245, cluster_cycles = 195, peer_cycles = 67, grid_cycles = 1460,
                 launch_cycles = 6000;
constexpr double cluster_bytes = 18, grid_bytes = 6.7, all_grid_bytes = 1000;  // a cycle, to a block; to all
constexpr double cluster_sum = 38, grid_sum = 102;  // of a tile of sums that has come
constexpr double staged_byte = 2;                   // of weights, in a warp

int ceil_div(int a, int b) { return a / b + (a % b != 0); }

// What a block holds and does in a step.
struct Work {
  Space space;
  double products;  // of a tile of weights and a tile of segments
  double reads;     // bytes, beside the weights
  double held;      // the part of the weights that lies in registers
  double chain;     // tiles that a warp reads one after the other
  double outputs;   // products that each of them takes part in, in a warp
  double passed;    // bytes that come from the team's blocks
  double sums;      // tiles of sums among them, in a warp
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
    w.outputs = outputs * s.tiles;
    w.sums = 0;
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
    w.chain = share * passes;
    w.outputs = tile_.set * s.tiles;
    w.sums = ceil_div(l.ranks * sets.splits, l.splits) * s.tiles;
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
    const int warps = l.threads() / 32;
    const double weights = double(w.space.weights) * k_tiles() / l.staged;
    const double from_memory = s.kind == Kind::launch ? 1 : 1 - w.held;
    const double reads = (weights * from_memory + w.reads) / shared_bytes_per_cycle;
    const double compute = w.products * (tile_.tensor_cores ? tensor_cycles : float_cycles);
    const double chain =
        w.chain * (w.outputs * (tile_.tensor_cores ? tensor_chain : float_chain) + tile_chain);
    const double splits = l.splits > 1 ? first_split + each_split * l.splits : 0;
    const double own = std::max({compute, reads, chain}) + splits + warp_cycles * std::max(0, warps - 4) +
                       (task_.backward ? backward_cell : forward_cell);
    switch (s.kind) {
      case Kind::block:
        return own + block_cycles;
      case Kind::cluster:
        return own + cluster_cycles + peer_cycles * l.ranks + w.passed / cluster_bytes + cluster_sum * w.sums;
      case Kind::grid:
        return own + grid_cycles + w.passed * (1 / grid_bytes + blocks / all_grid_bytes) + grid_sum * w.sums;
      default:
        return own + launch_cycles + staged_byte * weights / warps;
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
