#include "losses/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"
#include "machine/buffer.h"
#include "machine/share.h"

namespace elman {

template <class T> double run_cross_entropy(const CrossEntropy<T>& call) {
  const int C = call.C;
  const auto softmax = softmax_kernels<T>(current_isa()).softmax;
  const double even = call.smoothing / C, rest = 1 - call.smoothing;
  const T shift = static_cast<T>(-even * call.scale), at_target = static_cast<T>(rest * call.scale);
  const Buffer<double> losses(call.N);
  ThreadTeam team(num_threads());
  share(team, threads_for_exponentials(double(call.N) * C, team.size(), team.warm()), call.N,
        [&](int64_t begin, int64_t end) {
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
            // Both terms count from the largest value. If the logarithm were added to a large value, it would
            // be lost.
            losses[n] = std::log(double(sums.exponentials)) - rest * (wanted - double(sums.largest));
            // Not a product with 0: a class that is masked out by -infinity makes the sum infinite.
            if (even != 0) losses[n] -= even * double(sums.values);
          }
        });
  double sum = 0;
  for (int64_t n = 0; n < call.N; ++n) sum += losses[n];
  return sum;
}

template double run_cross_entropy(const CrossEntropy<float>&);
template double run_cross_entropy(const CrossEntropy<double>&);

}  // namespace elman
