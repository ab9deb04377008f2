// y = x W^T + b over many rows, on the engine's tile. A row's bits do not depend on the rows beside it (with
// a BLAS they do), so a single step gives what the whole sequence gave.
#pragma once

#include "kernels/dispatch.h"
#include "machine/buffer.h"

namespace elman {

template <class T> struct PackedLinear {
  // weight [O, I], bias [O] or null.
  PackedLinear(const Isa& isa, int I, int O, const T* weight, const T* bias);
  const Isa& isa;
  const int I, O;
  Buffer<T> weight, bias;
};

// y [N, O] of x [N, I].
template <class T> void run_linear(const PackedLinear<T>& packed, const T* x, T* y, int64_t N);

template <class T> struct LinearBackward {
  int64_t N = 0;
  int I = 0, O = 0;
  const T *weight = nullptr, *x = nullptr, *dy = nullptr;   // [O, I], [N, I], [N, O]
  T *dx = nullptr, *d_weight = nullptr, *d_bias = nullptr;  // may be null; the last two are added to
};
template <class T> void run_linear_backward(const LinearBackward<T>& call);

}  // namespace elman
