// Softmax and cross-entropy in one pass over the logits.
#pragma once

#include <cstdint>

namespace elman {

template <class T> struct CrossEntropy {
  int64_t N = 0;
  int C = 0;
  const T* logits = nullptr;        // [N, C]
  const int64_t* target = nullptr;  // [N], 0 to C - 1 where it counts
  const uint8_t* mask = nullptr;    // [N] or null: the rows that count are not 0
  double smoothing = 0;             // share of the target that is spread over all classes
  T scale = 1;                      // of the gradient
  T* d_logits = nullptr;            // [N, C] or null
};

// The sum over the rows that count of -sum_c q_c log softmax(logits)_c, with q the smoothed target.
template <class T> double run_cross_entropy(const CrossEntropy<T>& call);

}  // namespace elman
