#include "train/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "engine/buffer.h"
#include "engine/call.h"

namespace elman {
namespace {

// A value takes about as long as this many numbers of a packed weight.
constexpr double work_of_a_value = 4;

int threads_for_rows(int64_t N, int C, const ThreadTeam& team) {
  return threads_for_packing(work_of_a_value * double(N) * C, team.size(), team.warm());
}

}  // namespace

template <class T> double run_cross_entropy(const CrossEntropy<T>& call) {
  const int C = call.C;
  const auto softmax = row_functions<T>(current_isa()).softmax;
  const double even = call.smoothing / C, rest = 1 - call.smoothing;
  const T shift = static_cast<T>(-even * call.scale), at_target = static_cast<T>(rest * call.scale);
  const Buffer<double> losses(call.N);
  ThreadTeam team(num_threads());
  share(team, threads_for_rows(call.N, C, team), call.N, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      T* d = call.d_logits ? call.d_logits + n * C : nullptr;
      losses[n] = 0;
      if (call.mask && !call.mask[n]) {
        if (d) std::fill(d, d + C, T(0));
        continue;
      }
      const T* x = call.logits + n * C;
      const double wanted = x[call.target[n]];
      const RowSums<T> sums = softmax(x, C, call.scale, shift, d);
      if (d) d[call.target[n]] -= at_target;
      // Both terms from the largest value: beside a large one the logarithm would be lost.
      losses[n] = std::log(double(sums.exponentials)) - rest * (wanted - double(sums.largest));
      // A choice, not a product with 0: a class that is masked out by -infinity makes the sum infinite.
      if (even != 0) losses[n] -= even * double(sums.values);
    }
  });
  double sum = 0;
  for (int64_t n = 0; n < call.N; ++n) sum += losses[n];
  return sum;
}

template <class T> void run_softmax(const T* x, T* p, int64_t N, int C) {
  const auto softmax = row_functions<T>(current_isa()).softmax;
  ThreadTeam team(num_threads());
  share(team, threads_for_rows(N, C, team), N, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; C > 0 && n < end; ++n) softmax(x + n * C, C, T(1), T(0), p + n * C);
  });
}

template double run_cross_entropy(const CrossEntropy<float>&);
template double run_cross_entropy(const CrossEntropy<double>&);
template void run_softmax(const float*, float*, int64_t, int);
template void run_softmax(const double*, double*, int64_t, int);

}  // namespace elman
