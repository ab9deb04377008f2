#include "probes/rates.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <vector>

#include "kernels/dispatch.h"
#include "machine/buffer.h"
#include "machine/threads.h"

namespace elman {

template <class T> double measure_peak(int threads) {
  constexpr int64_t rounds = 1 << 21;  // some milliseconds
  const ProbeKernels& probes = current_isa().probes;
  const auto spin = sizeof(T) == sizeof(float) ? probes.spin_f32 : probes.spin_f64;
  ThreadTeam team(threads);
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<double> operations{0};
  team.run(team.size(), [&](int) {
    const double done = spin(rounds);
    double sum = operations.load();
    while (!operations.compare_exchange_weak(sum, sum + done)) {
    }
  });
  const std::chrono::duration<double, std::nano> ns = std::chrono::steady_clock::now() - begin;
  return operations / ns.count();
}

double measure_bandwidth(int threads, std::size_t bytes) {
  const auto read = current_isa().probes.read;
  const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(std::max<std::size_t>(bytes, 4096) / 4096 * 1024);
  const int64_t rounds = std::max<int64_t>(2, (int64_t{1} << 28) / count);
  ThreadTeam team(threads);
  std::vector<Buffer<float>> buffers;
  for (int i = 0; i < team.size(); ++i) buffers.emplace_back(count);
  Barrier barrier(team.size());
  std::vector<double> times(team.size());
  std::atomic<bool> sound{true};
  team.run(team.size(), [&](int i) {
    std::memset(buffers[i].data(), 0, count * sizeof(float));  // here, so that its pages are near this thread
    const float first = read(buffers[i].data(), count, 1);
    barrier.wait(i);
    const auto begin = std::chrono::steady_clock::now();
    if (read(buffers[i].data(), count, rounds) + first != 0) sound = false;
    const std::chrono::duration<double, std::nano> ns = std::chrono::steady_clock::now() - begin;
    times[i] = ns.count();
  });
  double sum = 0;
  for (const double ns : times) sum += double(count) * sizeof(float) * double(rounds) / ns;
  return sound ? sum : 0;
}

double measure_dispatch(int threads) {
  constexpr int rounds = 2000;
  ThreadTeam team(threads);
  team.run(team.size(), [](int) {});
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i) team.run(team.size(), [](int) {});
  const std::chrono::duration<double, std::nano> ns = std::chrono::steady_clock::now() - begin;
  return ns.count() / rounds;
}

double measure_barrier(int threads) {
  constexpr int rounds = 2000;
  ThreadTeam team(threads);
  Barrier barrier(team.size());
  std::chrono::duration<double, std::nano> ns{};
  team.run(team.size(), [&](int i) {
    barrier.wait(i);
    const auto begin = std::chrono::steady_clock::now();
    for (int round = 0; round < rounds; ++round) barrier.wait(i);
    if (i == 0) ns = std::chrono::steady_clock::now() - begin;
  });
  return ns.count() / rounds;
}

template double measure_peak<float>(int);
template double measure_peak<double>(int);

}  // namespace elman
