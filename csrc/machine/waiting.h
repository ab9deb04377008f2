// How threads wait for each other: awake for a while, and noting when a partner was late.
#pragma once

#include <atomic>
#include <chrono>

namespace elman {

using Clock = std::chrono::steady_clock;

// How many rounds to wait awake for a partner: some microseconds. A partner that is later has lost its
// processor. It gets one sooner if this thread gives up its own.
inline constexpr int rounds_awake = 500;

// A partner that is late by `lateness` has lost its processor to another process. A short call would wait for
// that process's whole turn, so for the time `caution` short calls run alone. (Less lateness does not count:
// a virtual machine loses 50 us every few ms, and small calls would run alone most of the time.)
inline constexpr std::chrono::microseconds lateness{300};
inline constexpr std::chrono::milliseconds caution{10};

inline std::atomic<Clock::rep> last_late{0};
inline void note_wait(Clock::time_point since) {
  const Clock::time_point now = Clock::now();
  if (now - since > lateness) last_late.store(now.time_since_epoch().count());
}

// Tells the processor that this thread only waits.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits awake until done(), at most for so many rounds; returns done().
template <class Done> bool wait_awake(int rounds, const Done& done) {
  for (int i = 0; i < rounds; ++i) {
    if (done()) return true;
    relax();
  }
  return done();
}

// The same, at most for so long.
template <class Done> bool wait_awake(std::chrono::microseconds time, const Done& done) {
  const Clock::time_point end = Clock::now() + time;
  do {
    if (wait_awake(64, done)) return true;
  } while (Clock::now() < end);
  return done();
}

}  // namespace elman
