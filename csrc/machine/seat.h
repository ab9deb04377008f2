// Where a worker sleeps. Each has a place of its own: a call wakes those that it takes, and no others.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "machine/arrivals.h"

namespace elman {

class alignas(apart) Seat {
 public:
  bool asleep() const { return asleep_.load(); }

  // Until called(), which becomes true before wake() is called.
  template <class Called> void sleep(const Called& called) {
    std::unique_lock<std::mutex> lock(mutex_);
    asleep_.store(true);
    wake_.wait(lock, called);
    asleep_.store(false);
  }

  void wake() {
    if (!asleep()) return;
    {
      std::lock_guard<std::mutex> lock(mutex_);
    }
    wake_.notify_one();
  }

 private:
  std::atomic<bool> asleep_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace elman
