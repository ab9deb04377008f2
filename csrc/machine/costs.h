// What work costs, in nanoseconds of one core. From that follows how many threads it is worth. The numbers
// are rough: they only rank ways to do the same thing.
#pragma once

namespace elman {

// What one core does in a nanosecond. A multiply is one of a vector of weights. (Measured on Zen 5, where the
// L2 cache gives 160 bytes, the L3 cache 94 and memory 30.)
constexpr double multiplies_per_ns = 7;
constexpr double packed_weights_per_ns = 8;
constexpr double exponentials_per_ns = 0.5;
constexpr double l2_bytes_per_ns = 160, l3_bytes_per_ns = 80, memory_bytes_per_ns = 25;

// What a step of a scan costs beside its sums.
constexpr double step_overhead_ns = 30;

// What it costs so many threads to meet, two and for each doubling: there is more to wait for on the way up
// the tree (arrivals.h), and more to tell.
constexpr double barrier_ns(int threads) {
  double ns = threads > 1 ? 300 : 0;
  for (int met = 2; met < threads; met *= 2) ns += 150;
  return ns;
}

// What it costs to hand work to so many threads, the caller among them. If the workers are awake, they begin
// within a microsecond; if they sleep, they must be woken, one after the other.
constexpr double dispatch_ns(bool warm, int threads) {
  const double first = warm ? 600 : 150000, each = warm ? 25 : 2000;
  return threads > 1 ? first + each * (threads - 2) : 0;
}

// Reading `bytes` of weights `times` times: the first time from where they are, then from the L2 cache if
// they fit into it.
double stream_ns(double bytes, double times);

// For work that can be cut into equal parts: how many of `threads` finish it first, 1 if handing it out takes
// longer than it saves. `warm`: ThreadTeam::warm().
int threads_for_product(double multiply_adds, int lanes, int threads, bool warm);
int threads_for_packing(double weights, int threads, bool warm);
int threads_for_exponentials(double count, int threads, bool warm);
int threads_for_streaming(double bytes, int threads, bool warm);  // memory read and written once

}  // namespace elman
