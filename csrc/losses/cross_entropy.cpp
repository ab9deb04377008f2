#include "losses/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"
#include "machine/buffer.h"
#include "machine/share.h"

namespace elman {

template <class T> WeightedSum run_cross_entropy(const CrossEntropy<T>& call) {
  const int C = call.C;
  const auto softmax = softmax_kernels<T>(current_isa()).softmax;
  const double even = call.smoothing / C, rest = 1 - call.smoothing;
  const auto weight = [&](int64_t n) { return call.weights ? call.weights[n] : 1; };
  WeightedSum total;
  for (int64_t n = 0; n < call.N; ++n) total.weight += weight(n);
  const double whole = total.weight > 0 ? total.weight : 1;
  const Buffer<double> losses(call.N);
  ThreadTeam team(num_threads());
  share(team, threads_for_exponentials(double(call.N) * C, team.size(), team.warm()), call.N,
        [&](int64_t begin, int64_t end) {
          for (int64_t n = begin; n < end; ++n) {
            T* d = call.d_logits ? call.d_logits + n * C : nullptr;
            losses[n] = 0;
            const double w = weight(n);
            if (w == 0) {
              if (d) std::fill(d, d + C, T(0));
              continue;
            }
            const T* x = call.logits + n * C;
            const T scale = static_cast<T>(w / whole);
            const RowSums<T> sums = softmax(x, C, scale, static_cast<T>(-even * scale), d);
            // Terms count from the largest value. If the logarithm were added to a large value, it would be
            // lost.
            const auto from_largest = [&](int64_t c) { return double(x[c]) - double(sums.largest); };
            const double log_sum = std::log(double(sums.exponentials));
            double loss = 0;
            if (call.shares) {
              const double* q = call.shares + n * C;
              double all = 0, wanted = 0;
              for (int c = 0; c < C; ++c) {
                if (q[c] == 0) continue;  // not a product with 0, see below
                all += q[c];
                wanted += q[c] * from_largest(c);
                if (d) d[c] -= static_cast<T>(rest * scale * q[c]);
              }
              loss = (rest * all + call.smoothing) * log_sum - rest * wanted;
            } else {
              const int64_t c = call.target[n];
              loss = log_sum - rest * from_largest(c);
              if (d) d[c] -= static_cast<T>(rest * scale);
            }
            // Not a product with 0: a class that is masked out by -infinity makes the sum infinite.
            if (even != 0) loss -= even * double(sums.values);
            losses[n] = w * loss;
          }
        });
  for (int64_t n = 0; n < call.N; ++n) total.loss += losses[n];
  return total;
}

template WeightedSum run_cross_entropy(const CrossEntropy<float>&);
template WeightedSum run_cross_entropy(const CrossEntropy<double>&);

}  // namespace elman
