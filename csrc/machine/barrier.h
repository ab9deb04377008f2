// Where threads that share a step wait for each other.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace elman {

// Threads that wait stay awake for some microseconds, then sleep. If they never slept, this would be ten
// times slower as soon as another process takes one of their cores.
class Barrier {
 public:
  explicit Barrier(int size) : size_(size) {}
  void wait() noexcept;

 private:
  const int size_;
  std::atomic<int> arrived_{0}, sleepers_{0};
  std::atomic<unsigned> generation_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace elman
