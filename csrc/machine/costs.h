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

// What a step of a scan costs beside its sums, and what a barrier costs.
constexpr double step_overhead_ns = 30, barrier_ns = 300;

// What it costs to hand work to the workers. If they are awake, they begin within a microsecond; if they
// sleep, they must be woken.
constexpr double dispatch_ns(bool warm) { return warm ? 600 : 150000; }

// Reading `bytes` of weights `times` times: the first time from where they are, then from the L2 cache if
// they fit into it.
double stream_ns(double bytes, double times);

// For work that can be cut into equal parts: `threads`, or 1 if handing the work out takes longer than it
// saves. `warm`: ThreadTeam::warm().
int threads_for_product(double multiply_adds, int lanes, int threads, bool warm);
int threads_for_packing(double weights, int threads, bool warm);
int threads_for_exponentials(double count, int threads, bool warm);
int threads_for_streaming(double bytes, int threads, bool warm);  // memory read and written once

}  // namespace elman
