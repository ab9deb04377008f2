#include "machine/threads.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>

#include "machine/processors.h"
#include "machine/seat.h"
#include "machine/starting.h"
#include "machine/waiting.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace elman {
namespace {

// How long workers stay awake after a call. A call that follows sooner finds them ready. Waking a worker
// takes 40 us if its processor was idle for less than a millisecond, else 100 us and more; Python takes some
// 50 us between the calls of a training step.
constexpr std::chrono::microseconds warmth{200};

// Calls that follow each other within `warmth` are a stream. If a stream has lasted this long, it pays to
// wake the workers: about twice what waking takes. (Three short calls every ms are none: 30 us alone.)
constexpr std::chrono::microseconds worth_waking{300};

std::system_error no_threads(const char* what) {
  return std::system_error(EAGAIN, std::generic_category(), what);
}

std::atomic<const Lender*> the_lender{nullptr};

}  // namespace

class Pool {
 public:
  // How many threads a call gets if it wants so many. This is settled before any work is handed out, because
  // threads that wait for each other must all be there.
  int provide(int threads) {
    lender_ = the_lender.load();
    if (lender_ && !lends(*lender_, threads)) lender_ = nullptr;
    team_ = threads;
    return lender_ ? threads : 1 + grow(threads - 1);
  }

  void run(int threads, const Task& work) {
    if (lender_) {
      // Always the whole team: asked for fewer threads, a runtime ends some, and starts them again later.
      const auto part = [&](int i) { i < threads ? work(i) : void(); };
      if (run_borrowed(*lender_, team_, part)) return;
      // The lender gave as many before, but its user may have changed that since.
      if (grow(threads - 1) < threads - 1) throw no_threads("threads: neither lent nor started");
    }
    work_ = &work;
    bool woken = false;
    for (int id = 1; id < threads; ++id) woken = woken || seats_[id - 1].asleep();
    const Clock::rep late_before = last_late.load();
    if (woken) caller_processor_.store(current_processor());
    const uint64_t call = next_call(call_.load(), threads);
    call_.store(call);
    for (int id = 1; id < threads; ++id) seats_[id - 1].wake();
    const Clock::time_point begin = Clock::now();
    work(0);
    wait_for_workers(call, begin);
    // Workers that had to wake up first were late for that reason alone, so it does not count.
    if (woken) last_late.store(late_before);
  }

  // What ThreadTeam::warm says at that time.
  bool warm_at(Clock::time_point now) const {
    const Clock::duration late(last_late.load());
    const bool awake = now - workers_end < warmth || now - stream_begin > worth_waking;
    return awake && now.time_since_epoch() - late > caution;
  }

  std::mutex busy;  // held by the call that the pool serves
  // Under `busy`: the end of the last call, the end of the last call that had workers, and the begin of the
  // stream of calls.
  Clock::time_point last_end, workers_end, stream_begin;

 private:
  // Starts workers until there are so many or the system refuses; returns how many there are, at most
  // `workers`. They are detached, and the pool is never destroyed: at exit they sleep or stop with the
  // process.
  int grow(int workers) {
    while (count_ < workers && !refused_.fresh()) {
      try {
        arrivals_.make_room(count_ + 1);
        if (static_cast<int>(seats_.size()) == count_) seats_.emplace_back();
        Seat& seat = seats_[count_];
        std::thread([this, &seat, id = count_ + 1, seen = call_.load()] { serve(seat, id, seen); }).detach();
        ++count_;
      } catch (const std::exception&) {
        refused_.note();
      }
    }
    return std::min(count_, workers);
  }

  // Whether the lender gives so many threads. A larger number than before is tried once. GNU's runtime ends
  // the process if it cannot start a thread, so we first see whether the system would start them.
  bool lends(const Lender& lender, int threads) {
    if (lender.threads() != 1) return false;  // this thread works for one of its teams, and will get no other
    if (threads > lent_ && !not_lent_.fresh()) {
      if (can_start(threads - 1) && run_borrowed(lender, threads, [](int) {})) lent_ = threads;
      else not_lent_.note();
    }
    return threads <= lent_;
  }

  // If the lender gives fewer threads, nothing is done and this returns false: with some of them missing, the
  // others would wait at a barrier for ever.
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

  void wait_for_workers(uint64_t call, Clock::time_point begin) {
    const auto done = [&] { return done_.load() == call; };
    if (wait_awake(rounds_awake, done)) return;
    const Clock::time_point own_end = Clock::now();
    {
      std::unique_lock<std::mutex> lock(mutex_);
      caller_sleeps_.store(true);
      finished_.wait(lock, done);
      caller_sleeps_.store(false);
    }
    leave_processor(last_processor_.load());
    // Parts are never quite equal. Workers are late only if they take half as long again as this thread's own
    // part.
    if (2 * (Clock::now() - own_end) > own_end - begin) note_wait(own_end);
  }

  // A call's number and how many threads it takes, together in one number. A worker that the call does not
  // take reads only this, and may sleep through the call.
  static uint64_t next_call(uint64_t call, int threads) { return ((call >> 16) + 1) << 16 | threads; }
  static int threads_of(uint64_t call) { return static_cast<int>(call & 0xffff); }

  void serve(Seat& seat, int id, uint64_t seen) {
    for (;;) {
      // Calls without this worker keep it neither awake nor from sleep. One with it waits for it, so the
      // number of the call stays until it has done its part.
      const auto called = [&] {
        const uint64_t call = call_.load();
        return call != seen && id < threads_of(call);
      };
      if (!wait_awake(warmth, called)) {
        seat.sleep(called);
        leave_processor(caller_processor_.load());
      }
      seen = call_.load();
      (*work_)(id);
      if (!arrivals_.arrive(id - 1, threads_of(seen) - 1)) continue;
      done_.store(seen);
      if (caller_sleeps_.load()) {
        last_processor_.store(current_processor());
        {
          std::lock_guard<std::mutex> lock(mutex_);
        }
        finished_.notify_one();
      }
    }
  }

  int count_ = 0, lent_ = 1, team_ = 1;  // workers; the most that were lent; how many this call may use
  Refusal refused_, not_lent_;
  const Lender* lender_ = nullptr;                              // of this call's threads, if they are lent
  std::atomic<int> caller_processor_{-1}, last_processor_{-1};  // where the caller runs, and the last worker
  // Who waits looks at call_, or at done_, the last call that all have finished. Nobody writes beside these.
  alignas(apart) std::atomic<uint64_t> call_{0};
  const Task* work_ = nullptr;
  alignas(apart) std::atomic<uint64_t> done_{0};
  alignas(apart) std::atomic<bool> caller_sleeps_{false};
  std::deque<Seat> seats_;  // of the workers; they never move
  Arrivals arrivals_{1};    // of workers that have finished
  std::mutex mutex_;
  std::condition_variable finished_;
};

namespace {

std::atomic<Pool*> the_pool{nullptr};

Pool& pool() {
#if !defined(_WIN32)
  // A forked child has no workers. It leaves the old pool alone and makes its own when it needs one.
  static std::once_flag once;
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

void borrow_threads(const Lender& lender) {
  pool();                                // it also sets up what happens when the process forks
  the_lender.store(new Lender(lender));  // never freed: a call may still read the one before
}

ThreadTeam::ThreadTeam(int wanted) {
  if (wanted > 1 && pool().busy.try_lock()) {
    pool_ = &pool();
    size_ = pool_->provide(wanted);
    const Clock::time_point now = Clock::now();
    if (now - pool_->last_end > warmth) pool_->stream_begin = now;
    warm_ = pool_->warm_at(now);
  }
}

ThreadTeam::~ThreadTeam() {
  if (!pool_) return;
  pool_->last_end = Clock::now();
  pool_->busy.unlock();
}

// A signal handler that runs in a pause may fork. If the child goes on with the call, the team's threads are
// gone, and it needs new ones.
void ThreadTeam::join_fork(int threads) {
  if (pool_ == the_pool.load()) return;
  Pool& fresh = pool();
  fresh.busy.lock();
  pool_ = &fresh;
  if (fresh.provide(threads) < threads) throw no_threads("threads: could not be started after a fork");
}

void ThreadTeam::run(int threads, const Task& work) {
  if (threads == 1) work(0);
  else {
    join_fork(threads);
    pool_->run(threads, work);
    pool_->workers_end = Clock::now();
  }
  known_ = !pool_;  // a small call does not ask again, and the clock takes as long as its smallest step
}

bool ThreadTeam::warm() {
  if (!known_) warm_ = pool_->warm_at(Clock::now());
  known_ = true;
  return warm_;
}

}  // namespace elman
