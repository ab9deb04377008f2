// The thread pool and the barrier that threads sharing a step meet at.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace elman {

// Waiters spin for a few microseconds, then sleep: a pure spin barrier fell to a tenth of its speed when
// another process took a core.
class Barrier {
 public:
  explicit Barrier(int size) : size_(size) {}
  void wait() noexcept;

 private:
  const int size_;
  std::atomic<int> arrived_{0}, sleepers_{0};
  std::atomic<unsigned> generation_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

constexpr int most_threads = 4096;

// Threads that a call may use: what was set, else ELMAN_NUM_THREADS, else OMP_NUM_THREADS, and in any case no
// more than there are processors, unless ELMAN_OVERSUBSCRIBE=1.
int num_threads();
void set_num_threads(int n);

// A reference to any f(int); unlike std::function it never allocates.
class Task {
 public:
  template <class F>
  Task(const F& f) : object_(&f), call_([](const void* o, int i) { (*static_cast<const F*>(o))(i); }) {}
  void operator()(int i) const { call_(object_, i); }

 private:
  const void* object_;
  void (*call_)(const void*, int);
};

// Another library's threads (OpenMP's, by the entry points of GNU's runtime), for processes where that
// library computes too: with two pools each one's workers spin on the processors that the other's need.
struct Lender {
  void (*parallel)(void (*body)(void*), void* data, unsigned threads, unsigned flags) = nullptr;
  int (*thread)() = nullptr, (*threads)() = nullptr;  // within `body`: which thread this is, of how many
};

// From now on calls use these threads; a forked child, where they do not exist, has its own again.
void borrow_threads(const Lender& lender);

class Pool;

// The threads of one call: the caller and some workers of the pool.
class ThreadTeam {
 public:
  // The pool serves one call at a time; a call that finds it taken gets a team of one instead of waiting.
  // Where the system starts fewer threads than are wanted, the team is the smaller.
  explicit ThreadTeam(int wanted);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  int size() const { return size_; }

  // Whether the call before this one ended so lately that the workers are still awake, or that the calls are
  // worth waking them: waking takes tens of microseconds, longer than many a step.
  bool warm() const { return warm_; }

  // Runs work(0), which is the caller, to work(threads - 1) at the same time, so that they may meet at a
  // Barrier; threads <= size().
  void run(int threads, const Task& work);

 private:
  void join_fork(int threads);

  Pool* pool_ = nullptr;
  int size_ = 1;
  bool warm_ = false;
};

}  // namespace elman
