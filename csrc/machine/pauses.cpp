#include "machine/pauses.h"

#include <atomic>

namespace elman {
namespace {

std::atomic<void (*)()> the_check{nullptr};

}  // namespace

void on_pause(void (*check)()) { the_check.store(check); }

void Pauses::check() {
  if (const auto function = the_check.load()) function();
  last_ = Clock::now();
}

}  // namespace elman
