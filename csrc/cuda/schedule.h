// Which blocks compute what, and how they pass values on: chosen by a model of what a step costs.
#pragma once

#include <string>
#include <vector>

#include "cuda/job.h"

namespace elman::cuda {

enum class Kind {
  block,    // one block has all units of its segments: nothing to pass on
  cluster,  // a cluster of blocks, through each other's shared memory; a block goes on when all has arrived
  grid,     // blocks all over the GPU, through global memory
  launch,   // a launch for every step; weights may be staged a part at a time, so that any size has a place
};
constexpr Kind kinds[] = {Kind::block, Kind::cluster, Kind::grid, Kind::launch};
constexpr bool in_shared_memory(Kind kind) { return kind < Kind::grid; }
const char* name_of(Kind kind);

struct Schedule {
  Kind kind = Kind::launch;
  Layout layout;
  int tiles = 1;  // of 8 segments, for each team
  std::size_t shared_bytes = 0;
  std::size_t words = 0;    // of 8 bytes in global memory, for what is passed on there
  double microseconds = 0;  // for a step, by the model
};

// What has to be computed.
struct Task {
  int H = 0, segments = 0, directions = 1;
  int gates = 1;  // that h feeds
  bool backward = false;
  Tile tile = tile_f32;
};

struct Machine {
  int multiprocessors = 132;
  int shared_bytes = 227 << 10;  // of a block
  int blocks_at_once = 132;      // that may wait for each other
  std::vector<int> clusters;     // [n]: clusters of n blocks that run at once
};

// The schedules that a task can have, the cheapest by the model first; those of one kind, if it is named.
// Throws std::invalid_argument if there are none.
std::vector<Schedule> schedules_for(const Task& task, const Machine& machine, const std::string& kind = "");

}  // namespace elman::cuda
