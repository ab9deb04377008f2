// Python's lock, released while the engine computes.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>

namespace elman {

// Without the lock for as long as it lives. A daemon thread that wants the lock back while the program ends
// cannot have it: before CPython 3.14 the interpreter ends such a thread by unwinding its stack, which no
// destructor may pass on, so that the process would abort. Here the thread sleeps instead, as later
// versions have it do, until the process is gone.
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked() { lock(state_); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  static void lock(PyThreadState* state) noexcept {
    try {
      PyEval_RestoreThread(state);
    } catch (...) {
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    }
  }

  PyThreadState* const state_;
};

}  // namespace elman
