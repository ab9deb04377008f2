// Whether the system starts more threads: a limit of processes or of memory may be in the way.
#pragma once

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "machine/waiting.h"

namespace elman {

// After the system has refused to start threads, we do not ask again for a second: a failed try takes tens of
// microseconds.
class Refusal {
 public:
  bool fresh() const { return Clock::now() < over_; }
  void note() { over_ = Clock::now() + std::chrono::seconds(1); }

 private:
  Clock::time_point over_;
};

// Whether the system starts so many threads now. They end at once.
inline bool can_start(int threads) {
  std::mutex gate;
  std::unique_lock<std::mutex> closed(gate);
  std::vector<std::thread> started;
  started.reserve(threads);
  bool all = true;
  try {
    while (static_cast<int>(started.size()) < threads)
      started.emplace_back([&] { const std::lock_guard<std::mutex> wait(gate); });
  } catch (const std::exception&) {
    all = false;
  }
  closed.unlock();
  for (std::thread& thread : started) thread.join();
  return all;
}

}  // namespace elman
