// Where threads that share a step wait for each other.
#pragma once

#include <condition_variable>
#include <mutex>

#include "machine/arrivals.h"

namespace elman {

// Threads that wait stay awake for some microseconds, then sleep. If they never slept, this would be ten
// times slower as soon as another process takes one of their cores. All look at one word, which is written
// once, when the last has arrived; those who arrive write elsewhere.
class Barrier {
 public:
  explicit Barrier(int size) : size_(size), arrivals_(size) {}
  void wait(int member) noexcept;  // member: which of the `size` this thread is

 private:
  const int size_;
  Arrivals arrivals_;
  alignas(apart) std::atomic<unsigned> generation_{0};
  alignas(apart) std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace elman
