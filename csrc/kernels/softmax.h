// The softmax of single rows, forward and backward.
#pragma once

namespace elman {

// Of one row x: its largest value, and the sums of exp(x - largest) and of x - largest.
template <class T> struct RowSums {
  T largest, exponentials, values;
};

template <class T> struct SoftmaxKernels {
  // p = scale * softmax(x) + shift, over n > 0 values; p may be null.
  RowSums<T> (*softmax)(const T* x, int n, T scale, T shift, T* p);
  // The way back through p = softmax(x): dx = scale * p (dp - sum of p dp); dx may be dp.
  void (*softmax_backward)(const T* p, const T* dp, int n, T scale, T* dx);
};

}  // namespace elman
