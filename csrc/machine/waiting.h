// How threads wait for each other: awake for a while, and noting who was late.
#pragma once

#include <atomic>
#include <chrono>

namespace elman {

using Clock = std::chrono::steady_clock;

// Rounds of waiting awake at a barrier: few, because where a partner is late for longer than some
// microseconds, it has lost its processor, and gets it back sooner if this thread gives up its own.
inline constexpr int spins_at_barrier = 500;

// After a partner came late by this much, calls that a second thread would make little faster do without one
// for so long: another process has its processor, and takes a call of some microseconds to the length of its
// turns. (A virtual machine loses 50 us here and there, every few ms; counting those kept small calls alone
// most of the time.)
inline constexpr std::chrono::microseconds lateness{300};
inline constexpr std::chrono::milliseconds caution{10};

inline std::atomic<Clock::rep> last_late{0};
inline void note_wait(Clock::time_point since) {
  const Clock::time_point now = Clock::now();
  if (now - since > lateness) last_late.store(now.time_since_epoch().count());
}

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until done() or the patience is used up; says which.
template <class Done> bool spin(int rounds, const Done& done) {
  for (int i = 0; i < rounds; ++i) {
    if (done()) return true;
    pause();
  }
  return done();
}

// The same for `time`.
template <class Done> bool spin(std::chrono::microseconds time, const Done& done) {
  const Clock::time_point end = Clock::now() + time;
  do {
    if (spin(64, done)) return true;
  } while (Clock::now() < end);
  return done();
}

}  // namespace elman
