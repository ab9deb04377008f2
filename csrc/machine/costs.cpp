#include "machine/costs.h"

#include <algorithm>
#include <cmath>

#include "machine/caches.h"

namespace elman {
namespace {

// The share of a cache that weights can use. All other data needs the rest.
constexpr double cache_share = 0.75;

double usable_bytes(int level, double otherwise) {
  const int64_t size = cache_bytes("", level);
  return size ? cache_share * static_cast<double>(size) : otherwise;
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
  static const double l2 = usable_bytes(2, 512e3), l3 = usable_bytes(3, 8e6);
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
