// Plain RNN (Elman 1990): h' = tanh(W x + R h + b), or relu.
#pragma once

#include "cells/cell.h"
#include "simd/math.h"

namespace elman {
namespace {

struct Tanh {
  static constexpr const char* cell_name = "rnn_tanh";
  template <class V> static ELMAN_INLINE V of(V x) { return tanh(x); }
  template <class V> static ELMAN_INLINE V back(V d, V y) { return d * (splat<V>(1) - y * y); }
};

struct Relu {
  static constexpr const char* cell_name = "rnn_relu";
  template <class V> static ELMAN_INLINE V of(V x) { return larger(V{}, x); }  // keeps NaN
  template <class V> static ELMAN_INLINE V back(V d, V y) { return where_positive(y, d); }
};

template <class Activation> struct Rnn : CellConstants<Rnn<Activation>> {
  static constexpr CellFacts facts{Activation::cell_name, 1, {0, 1, {0}}, {0, 1, {0}}, {"h"}, {"h"}};

  template <class V> ELMAN_INLINE void forward(V* a, V* s) const {
    a[0] = Activation::of(a[0]);
    s[0] = a[0];
  }

  template <class V> ELMAN_INLINE void backward(V* a, const V*, const V*, V* d) const {
    a[0] = Activation::back(d[0], a[0]);
    d[0] = V{};
  }
};

}  // namespace
}  // namespace elman
