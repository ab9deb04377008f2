// Python's lock, released while the engine computes.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>

namespace elman {

// While one of these lives, this thread does not hold Python's lock. At the end of the program a daemon
// thread cannot get the lock back. Before CPython 3.14 the interpreter then ends the thread by unwinding its
// stack; that must not pass a destructor, and the process would abort. So the thread sleeps here until the
// process is gone, as later versions do themselves.
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
