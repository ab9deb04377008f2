#include "engine/threads.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "engine/processors.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace elman {
namespace {

using Clock = std::chrono::steady_clock;

// How long workers stay awake after a call, and so how soon a call must follow for them to begin at once.
// Waking one that sleeps takes 40 us if its processor idled for less than a millisecond, and 100 us and more
// after that; between the calls of a training step Python takes some 50 us.
constexpr std::chrono::microseconds warmth{200};

// Calls that follow each other within that time are worth waking the workers after so long a stream: about
// twice what waking takes. (Packing, a forward and a backward call of tens of microseconds every ms are not:
// 30 us, not 330.)
constexpr std::chrono::microseconds worth_waking{300};

// Rounds of waiting awake at a barrier: few, because where a partner is late for longer than some
// microseconds, it has lost its processor, and gets it back sooner if this thread gives up its own.
constexpr int spins_at_barrier = 500;

// After a partner came late by this much, calls that a second thread would make little faster do without one
// for so long: another process has its processor, and takes a call of some microseconds to the length of its
// turns. (A virtual machine loses 50 us here and there, every few ms; counting those kept small calls alone
// most of the time.)
constexpr std::chrono::microseconds lateness{300};
constexpr std::chrono::milliseconds caution{10};

std::atomic<Clock::rep> last_late{0};
void note_wait(Clock::time_point since) {
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

int default_threads() {
  if (const char* text = std::getenv("ELMAN_NUM_THREADS")) {
    char* end = nullptr;
    const long n = std::strtol(text, &end, 10);
    if (n < 1 || n > most_threads || *end)
      throw std::invalid_argument(
          std::string("ELMAN_NUM_THREADS: expected a whole number of at least 1, got '") + text + "'");
    return static_cast<int>(n);
  }
  // What joblib and others tell their worker processes, so that these do not crowd each other out.
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    const long n = std::strtol(text, nullptr, 10);
    if (n >= 1 && n <= most_threads) return static_cast<int>(n);
  }
  return processors();
}

std::atomic<int> thread_count{0};

std::atomic<const Lender*> the_lender{nullptr};

}  // namespace

class Pool {
 public:
  // Workers are detached and the pool is never destroyed: at exit they are asleep or stopped with the
  // process.
  void grow(int workers) {
    while (count_ < workers) {
      std::thread([this, id = count_ + 1, seen = call_.load()] { serve(id, seen); }).detach();
      ++count_;
    }
  }

  void run(int threads, const Task& work) {
    if (const Lender* lender = the_lender.load())
      if (run_borrowed(*lender, threads, work)) return;
    grow(threads - 1);
    work_ = &work;
    pending_.store(threads - 1);
    const bool woken = sleepers_.load() > 0;
    const Clock::rep late_before = last_late.load();
    if (woken) caller_processor_.store(current_processor());
    call_.store(next_call(call_.load(), threads));
    if (sleepers_.load() > 0) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
      }
      wake_.notify_all();
    }
    const Clock::time_point begin = Clock::now();
    work(0);
    wait_for_workers(begin);
    if (woken) last_late.store(late_before);  // who had to wake up first is excused
  }

  std::mutex busy;  // held by the call that the pool serves
  // Under `busy`: when the last call ended, when the workers' last one did, and when the stream of calls that
  // follow each other within `warmth` began.
  Clock::time_point last_end, workers_end, stream_begin;

 private:
  // False if the lender had fewer threads to give, and nothing was done: partners at a barrier would wait for
  // ever.
  static bool run_borrowed(const Lender& lender, int threads, const Task& work) {
    struct Region {
      const Lender& lender;
      const Task& work;
      const int wanted;
      std::atomic<bool> refused{false};
      Clock::time_point own_end;
    } region{lender, work, threads, {}, {}};
    const Clock::time_point begin = Clock::now();
    lender.parallel(
        [](void* data) {
          Region& r = *static_cast<Region*>(data);
          if (r.lender.threads() != r.wanted) return r.refused.store(true);
          const int thread = r.lender.thread();
          r.work(thread);
          if (thread == 0) r.own_end = Clock::now();
        },
        &region, threads, 0);
    if (region.refused.load()) return false;
    if (2 * (Clock::now() - region.own_end) > region.own_end - begin) note_wait(region.own_end);
    return true;
  }

  void wait_for_workers(Clock::time_point begin) {
    const auto done = [&] { return pending_.load() == 0; };
    if (spin(spins_at_barrier, done)) return;
    const Clock::time_point own_end = Clock::now();
    {
      std::unique_lock<std::mutex> lock(mutex_);
      caller_sleeps_.store(true);
      finished_.wait(lock, done);
      caller_sleeps_.store(false);
    }
    leave_processor(last_processor_.load());
    // Parts are never quite equal: late is what takes half as long again as one's own.
    if (2 * (Clock::now() - own_end) > own_end - begin) note_wait(own_end);
  }

  // A call's number and how many threads it takes, in one word: a worker that it does not take may sleep
  // through it, and reads nothing else of it.
  static uint64_t next_call(uint64_t call, int threads) { return ((call >> 16) + 1) << 16 | threads; }
  static int threads_of(uint64_t call) { return static_cast<int>(call & 0xffff); }

  void serve(int id, uint64_t seen) {
    for (;;) {
      const auto called = [&] { return call_.load() != seen; };
      if (!spin(warmth, called)) {
        std::unique_lock<std::mutex> lock(mutex_);
        sleepers_.fetch_add(1);
        wake_.wait(lock, called);
        sleepers_.fetch_sub(1);
        lock.unlock();
        leave_processor(caller_processor_.load());
      }
      seen = call_.load();
      if (id >= threads_of(seen)) continue;
      (*work_)(id);
      if (pending_.fetch_sub(1) == 1 && caller_sleeps_.load()) {
        last_processor_.store(current_processor());
        {
          std::lock_guard<std::mutex> lock(mutex_);
        }
        finished_.notify_one();
      }
    }
  }

  int count_ = 0;
  std::atomic<int> caller_processor_{-1}, last_processor_{-1};  // where the caller, the last worker runs
  const Task* work_ = nullptr;
  std::atomic<uint64_t> call_{0};
  std::atomic<int> pending_{0}, sleepers_{0};
  std::atomic<bool> caller_sleeps_{false};
  std::mutex mutex_;
  std::condition_variable wake_, finished_;
};

namespace {

std::atomic<Pool*> the_pool{nullptr};

Pool& pool() {
  static std::once_flag once;
#if !defined(_WIN32)
  // A forked child has none of the workers: it leaves the old pool alone and makes its own when it needs one.
  std::call_once(once, [] {
    pthread_atfork(nullptr, nullptr, [] {
      the_pool.store(nullptr);
      the_lender.store(nullptr);
    });
  });
#endif
  Pool* pool = the_pool.load();
  if (!pool) {
    Pool* fresh = new Pool;
    if (the_pool.compare_exchange_strong(pool, fresh)) return *fresh;
    delete fresh;
  }
  return *pool;
}

}  // namespace

void Barrier::wait() noexcept {
  const unsigned generation = generation_.load();
  if (arrived_.fetch_add(1) + 1 == size_) {
    arrived_.store(0);
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
  if (spin(spins_at_barrier, released)) return;
  const Clock::time_point begin = Clock::now();
  {
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1);
    wake_.wait(lock, released);
    sleepers_.fetch_sub(1);
  }
  note_wait(begin);
}

int num_threads() {
  int n = thread_count.load();
  if (n == 0) thread_count.compare_exchange_strong(n, default_threads()), n = thread_count.load();
  return n;
}

void borrow_threads(const Lender& lender) {
  pool();                                // and with it what happens when the process forks
  the_lender.store(new Lender(lender));  // for good: a call may be reading the one before
}

void set_num_threads(int n) { thread_count.store(n); }

ThreadTeam::ThreadTeam(int wanted) {
  if (wanted > 1 && pool().busy.try_lock()) {
    pool_ = &pool();
    size_ = wanted;
    const Clock::time_point now = Clock::now();
    const Clock::duration late(last_late.load());
    if (now - pool_->last_end > warmth) pool_->stream_begin = now;
    const bool awake = now - pool_->workers_end < warmth || now - pool_->stream_begin > worth_waking;
    warm_ = awake && now.time_since_epoch() - late > caution;
  }
}

ThreadTeam::~ThreadTeam() {
  if (!pool_) return;
  pool_->last_end = Clock::now();
  pool_->busy.unlock();
}

void ThreadTeam::run(int threads, const Task& work) {
  if (threads == 1) work(0);
  else {
    pool_->run(threads, work);
    pool_->workers_end = Clock::now();
  }
}

}  // namespace elman
