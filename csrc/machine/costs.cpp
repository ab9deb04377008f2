#include "machine/costs.h"

#include <algorithm>
#include <cmath>

#if !defined(_WIN32)
#include <unistd.h>
#endif

namespace elman {
namespace {

// The share of a cache that weights can use. All other data needs the rest.
constexpr double cache_share = 0.75;

double cache_bytes(int level) {
  long size = 0;
#if defined(_SC_LEVEL2_CACHE_SIZE)
  size = sysconf(level == 2 ? _SC_LEVEL2_CACHE_SIZE : _SC_LEVEL3_CACHE_SIZE);
#endif
  if (size > 0) return cache_share * static_cast<double>(size);
  return level == 2 ? 512e3 : 8e6;
}

int threads_for(double ns, int threads, bool warm) {
  if (threads == 1) return 1;
  // ns / n + each * n is least here.
  const double each = dispatch_ns(warm, 3) - dispatch_ns(warm, 2);
  const int n = static_cast<int>(std::clamp(std::sqrt(ns / each), 2.0, double(threads)));
  return ns - ns / n > dispatch_ns(warm, n) ? n : 1;
}

}  // namespace

double stream_ns(double bytes, double times) {
  static const double l2 = cache_bytes(2), l3 = cache_bytes(3);
  const double outer = bytes <= l2 ? 0 : bytes / (bytes <= l3 ? l3_bytes_per_ns : memory_bytes_per_ns);
  return std::max(outer, times * bytes / l2_bytes_per_ns);
}

int threads_for_product(double multiply_adds, int lanes, int threads, bool warm) {
  return threads_for(multiply_adds / lanes / multiplies_per_ns, threads, warm);
}

int threads_for_packing(double weights, int threads, bool warm) {
  return threads_for(weights / packed_weights_per_ns, threads, warm);
}

int threads_for_exponentials(double count, int threads, bool warm) {
  return threads_for(count / exponentials_per_ns, threads, warm);
}

int threads_for_streaming(double bytes, int threads, bool warm) {
  return threads_for(stream_ns(bytes, 1), threads, warm);
}

}  // namespace elman
