#include "machine/thread_count.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "machine/processors.h"
#include "machine/waiting.h"

namespace elman {
namespace {

// How long an answer of the system counts. Which processors a process may run on can change while it runs.
constexpr std::chrono::seconds freshness{1};

template <int (*ask)()> int now() {
  static std::atomic<int> count{0};
  static std::atomic<Clock::rep> asked{0};
  const Clock::time_point time = Clock::now();
  if (count.load() == 0 || time - Clock::time_point(Clock::duration(asked.load())) > freshness) {
    count.store(ask());
    asked.store(time.time_since_epoch().count());
  }
  return count.load();
}

constexpr int all_cores = -1;

// What the environment asks for; `all_cores` if it asks for nothing.
int default_threads() {
  if (const char* text = std::getenv("ELMAN_NUM_THREADS")) {
    char* end = nullptr;
    const long n = std::strtol(text, &end, 10);
    if (n < 1 || n > most_threads || *end)
      throw std::invalid_argument(
          std::string("ELMAN_NUM_THREADS: expected a whole number of at least 1, got '") + text + "'");
    return static_cast<int>(n);
  }
  // joblib and others set this for their worker processes, so that these do not take each other's processors.
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    const long n = std::strtol(text, nullptr, 10);
    if (n >= 1 && n <= most_threads) return static_cast<int>(n);
  }
  return all_cores;
}

// For tests that need many threads on few processors. Nobody else should: threads that wait for each other
// without a processor for each are a hundred times slower than one thread.
bool may_outnumber_processors() {
  static const bool may = [] {
    const char* text = std::getenv("ELMAN_OVERSUBSCRIBE");
    return text && std::string(text) == "1";
  }();
  return may;
}

std::atomic<int> wanted{0};  // 0: the default

}  // namespace

int num_threads() {
  int n = wanted.load();
  if (n == 0) {
    const int fresh = default_threads();
    n = wanted.compare_exchange_strong(n, fresh) ? fresh : wanted.load();
  }
  if (n == all_cores) return now<cores>();
  return n == 1 || (may_outnumber_processors() && n < most_threads) ? n : std::min(n, now<processors>());
}

void set_num_threads(int n) { wanted.store(n); }

}  // namespace elman
