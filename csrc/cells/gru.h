// GRU (Cho et al. 2014) with the reset gate after the product, as in PyTorch, cuDNN and Keras:
//   r = sigmoid(r), z = sigmoid(z), n = tanh(n_x + r n_h),  h' = (1 - z) n + z h.
// The candidate keeps two slots, n_x fed by x and n_h fed by h, in the order n_x r z n_h.
#pragma once

#include "cells/cell.h"
#include "simd/math.h"

namespace elman {
namespace {

struct Gru : CellConstants<Gru> {
  static constexpr CellFacts facts{"gru", 4, {0, 3, {2, 0, 1}}, {1, 4, {0, 1, 2}}, {"h"}, {"r", "z", "n"}};

  template <class V> ELMAN_INLINE void forward(V* a, V* s) const {
    const V r = sigmoid(a[1]), z = sigmoid(a[2]), n = tanh(mul_add(r, a[3], a[0]));
    s[0] = mul_add(z, s[0] - n, n);
    a[0] = n, a[1] = r, a[2] = z;  // a[3] stays n_h
  }

  template <class V> ELMAN_INLINE void backward(V* a, const V* s, const V*, V* d) const {
    const V one = splat<V>(1);
    const V n = a[0], r = a[1], z = a[2], n_h = a[3], dh = d[0];
    const V dn = dh * (one - z) * (one - n * n);
    a[0] = dn;
    a[1] = dn * n_h * r * (one - r);
    a[2] = dh * (s[0] - n) * z * (one - z);
    a[3] = dn * r;
    d[0] = dh * z;
  }
};

}  // namespace
}  // namespace elman
