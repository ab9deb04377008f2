// How a long call may be ended from outside, without the engine knowing what that is: between two parts of
// its work it calls a function that the binding gave.
#pragma once

#include "machine/waiting.h"

namespace elman {

// Throws if the call is to end: its results are then undefined, and its tape used up.
void on_pause(void (*check)());

// The pauses of one call. They are asked for often, and come true after every tenth of a second: usual calls
// have none.
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
