// LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), gates i f g o:
//   c' = f c + i g,  h' = o tanh(c');  i, f, o through sigmoid, g through tanh.
#pragma once

#include "cells/cell.h"
#include "simd/math.h"

namespace elman {
namespace {

struct Lstm : CellConstants<Lstm> {
  // Remember by default (Gers et al. 2000, Jozefowicz et al. 2015): the forget gate begins open.
  static constexpr CellFacts facts{
      "lstm", 4, {0, 4, {0, 1, 2, 3}}, {0, 4, {0, 1, 2, 3}}, {"h", "c"}, {"i", "f", "g", "o"}, {0, 1, 0, 0}};

  template <class V> ELMAN_INLINE void forward(V* a, V* s) const {
    const V i = sigmoid(a[0]), f = sigmoid(a[1]), g = tanh(a[2]), o = sigmoid(a[3]);
    s[1] = mul_add(f, s[1], i * g);
    s[0] = o * tanh(s[1]);
    a[0] = i, a[1] = f, a[2] = g, a[3] = o;
  }

  template <class V> ELMAN_INLINE void backward(V* a, const V* s, const V* s1, V* d) const {
    const V one = splat<V>(1);
    const V i = a[0], f = a[1], g = a[2], o = a[3], tanh_c = tanh(s1[1]);
    const V dh = d[0], dc = mul_add(dh * o, one - tanh_c * tanh_c, d[1]);
    a[0] = dc * g * i * (one - i);
    a[1] = dc * s[1] * f * (one - f);
    a[2] = dc * i * (one - g * g);
    a[3] = dh * tanh_c * o * (one - o);
    d[0] = V{};
    d[1] = dc * f;
  }
};

}  // namespace
}  // namespace elman
