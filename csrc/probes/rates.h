// What this machine can do at most, measured: speeds are compared with it.
#pragma once

#include <cstddef>

namespace elman {

// GFLOP/s of the current instruction set on `threads` cores at once.
template <class T> double measure_peak(int threads);

// Bytes per nanosecond that this many threads read together, each from `bytes` of its own.
double measure_bandwidth(int threads, std::size_t bytes);

// Nanoseconds that so many threads take to be handed work and give it back, and to meet at a barrier.
double measure_dispatch(int threads);
double measure_barrier(int threads);

}  // namespace elman
