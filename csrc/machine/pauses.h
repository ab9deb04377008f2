// How a long call can be ended from outside. Between two parts of its work it pauses and calls a function
// that the binding gave; the engine does not know what that function asks.
#pragma once

#include "machine/waiting.h"

namespace elman {

// `check` is called in every pause. If it throws, the call ends: its results are undefined, its tape is used
// up.
void on_pause(void (*check)());

// The pauses of one call. It asks often whether one is due, and every tenth of a second one is. Most calls
// are shorter than that and have none.
class Pauses {
 public:
  void pause_if_due() {
    if (Clock::now() - last_ > interval) check();
  }

 private:
  static constexpr std::chrono::milliseconds interval{100};
  void check();
  Clock::time_point last_ = Clock::now();
};

}  // namespace elman
