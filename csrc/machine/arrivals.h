// Threads that arrive somewhere, counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

namespace elman {

// What different threads write lies this far apart. Processors move memory between their caches in lines of
// 64 bytes, and fetch these in pairs.
inline constexpr std::size_t apart = 128;

// The counters form a tree: eight threads share one, and the last of them goes on to the next. So no line is
// written by more than eight threads, and the last of 64 waits for two counters, not for 63 others.
class Arrivals {
 public:
  explicit Arrivals(int size) : counters_(counters(size)) {}

  // Takes up to `size` from now on. Nobody may be arriving.
  void make_room(int size) {
    if (counters(size) > counters_.size()) counters_ = std::vector<Counter>(counters(size));
  }

  // True for the last of the members [0, size) to arrive. All counters are zero again then.
  bool arrive(int member, int size) noexcept {
    Counter* level = counters_.data();
    for (int count = size;; count = nodes(count), member /= fan) {
      const int node = member / fan, mine = count - node * fan < fan ? count - node * fan : fan;
      std::atomic<int>& arrived = level[node].value;
      if (arrived.fetch_add(1) + 1 < mine) return false;
      arrived.store(0);
      if (count <= fan) return true;
      level += nodes(count);
    }
  }

 private:
  static constexpr int fan = 8;
  struct alignas(apart) Counter {
    std::atomic<int> value{0};
  };
  static int nodes(int count) { return (count + fan - 1) / fan; }
  static std::size_t counters(int size) {
    std::size_t all = 1;
    for (; size > fan; size = nodes(size)) all += nodes(size);
    return all;
  }
  std::vector<Counter> counters_;
};

}  // namespace elman
