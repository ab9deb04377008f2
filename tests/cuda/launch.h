// Launches on the GPU that a CPU plays; csrc/cuda/gpu/launch.h has the same names.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace elman::cuda {

struct Grid {
  int blocks = 1, threads = 32, cluster = 1;
  std::size_t shared_bytes = 0;
  bool together = false;  // all blocks run at the same time: they may wait for each other
};

using Stream = void*;

void run_grid(const Grid& grid, const std::function<void()>& kernel, unsigned order);

template <class Job> void launch(void (*kernel)(Job), const Grid& grid, Stream, const Job& job) {
  static std::atomic<unsigned> order{0};
  run_grid(grid, [&] { kernel(job); }, ++order);
}

inline void clear(void* p, std::size_t bytes, Stream) { std::memset(p, 0, bytes); }

struct Limits {
  int multiprocessors, shared_bytes, blocks_at_once;
  std::vector<int> clusters;
  std::string name;
};
// The tests choose the shared memory, so that weights have to come in chunks.
inline Limits limits(const void*, int) {
  const char* bytes = std::getenv("ELMAN_PLAYED_SHARED_BYTES");
  return {4, bytes ? std::atoi(bytes) : 227 << 10, 20, std::vector<int>(9, 1),
          "a GPU that a processor plays"};
}

}  // namespace elman::cuda
