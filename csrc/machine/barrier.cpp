#include "machine/barrier.h"

#include "machine/waiting.h"

namespace elman {

void Barrier::wait(int member) noexcept {
  const unsigned generation = generation_.load();
  if (arrivals_.arrive(member, size_)) {
    generation_.store(generation + 1);
    if (sleepers_.load() > 0) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
      }
      wake_.notify_all();
    }
    return;
  }
  const auto released = [&] { return generation_.load() != generation; };
  if (wait_awake(rounds_awake, released)) return;
  const Clock::time_point begin = Clock::now();
  {
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1);
    wake_.wait(lock, released);
    sleepers_.fetch_sub(1);
  }
  note_wait(begin);
}

}  // namespace elman
