#include <atomic>
#include <chrono>

#include "engine/dispatch.h"
#include "engine/threads.h"

namespace elman {

template <class T> double measure_peak(int threads) {
  constexpr int64_t rounds = 1 << 21;  // some milliseconds
  const Products<T>& p = products<T>(current_isa());
  ThreadTeam team(threads);
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<double> operations{0};
  team.run(team.size(), [&](int) {
    const double done = p.spin(rounds);
    double sum = operations.load();
    while (!operations.compare_exchange_weak(sum, sum + done)) {
    }
  });
  const std::chrono::duration<double, std::nano> ns = std::chrono::steady_clock::now() - begin;
  return operations / ns.count();
}

template double measure_peak<float>(int);
template double measure_peak<double>(int);

}  // namespace elman
