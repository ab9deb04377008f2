// Softmax and cross-entropy in one pass over the logits.
#pragma once

#include <cstdint>

namespace elman {

template <class T> struct CrossEntropy {
  int64_t N = 0;
  int C = 0;
  const T* logits = nullptr;        // [N, C]
  const int64_t* target = nullptr;  // [N], 0 to C - 1 where it counts; or null
  const double* shares = nullptr;   // [N, C] instead of classes: the share of each
  const double* weights = nullptr;  // [N], or null for 1: a row of weight 0 does not count
  double smoothing = 0;             // share of the target that is spread over all classes
  T* d_logits = nullptr;            // [N, C], apart from the logits; or null
};

// Sums over the rows that count: of w times -sum_c q_c log softmax(logits)_c, with q the smoothed target, and
// of w. d_logits is the gradient of the first over the second.
struct WeightedSum {
  double loss = 0, weight = 0;
};
template <class T> WeightedSum run_cross_entropy(const CrossEntropy<T>& call);

}  // namespace elman
