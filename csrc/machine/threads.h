// The threads of a call, from the engine's pool or lent by another library.
#pragma once

#include "machine/barrier.h"
#include "machine/thread_count.h"

namespace elman {

// A reference to any f(int). Unlike std::function it never allocates.
class Task {
 public:
  template <class F>
  Task(const F& f) : object_(&f), call_([](const void* o, int i) { (*static_cast<const F*>(o))(i); }) {}
  void operator()(int i) const { call_(object_, i); }

 private:
  const void* object_;
  void (*call_)(const void*, int);
};

// Another library's threads: those of OpenMP, by the entry points of GNU's runtime. They are for a process in
// which that library computes too. With two pools, waiting workers of the one would hold the processors that
// the other needs.
struct Lender {
  void (*parallel)(void (*body)(void*), void* data, unsigned threads, unsigned flags) = nullptr;
  int (*thread)() = nullptr, (*threads)() = nullptr;  // inside `body`: the number of this thread, of how many
};

// From now on calls use these threads. A forked child has none of them, and uses its own pool again.
void borrow_threads(const Lender& lender);

class Pool;

// The threads of one call: the caller and some workers of the pool.
class ThreadTeam {
 public:
  // The pool serves one call at a time. A call that finds it busy does not wait: it gets a team of one. If
  // the system refuses to start so many threads, the team is smaller.
  explicit ThreadTeam(int wanted);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  int size() const { return size_; }

  // Whether it pays to give the workers short work: they are still awake from the last call, or so
  // many calls follow each other that waking them pays. Waking takes tens of microseconds.
  bool warm();

  // Runs work(0) in the caller and work(1) to work(threads - 1) in workers, all at the same time, so that
  // they may meet at a Barrier. threads <= size().
  void run(int threads, const Task& work);

 private:
  void join_fork(int threads);

  Pool* pool_ = nullptr;
  int size_ = 1;
  bool warm_ = false, known_ = true;  // what `warm` says, and whether it still holds
};

}  // namespace elman
