// Cells that the library does not have, one for each part of the contract (csrc/cells/cell.h) that its own
// cells leave alone.
#pragma once

#include <vector>

#include "cells/cell.h"
#include "simd/math.h"

namespace elman::selftest {
namespace {

// c' = f c + (1 - f) g,  m' = f m + (1 - f) c',  h' = o tanh(m').
struct ThreeStates : CellConstants<ThreeStates> {
  static constexpr CellFacts facts{"three_states", 3, {0, 3, {0, 1, 2}}, {0, 3, {0, 1, 2}}, {"h", "c", "m"},
                                   {"f", "g", "o"}};

  template <class V> void forward(V* a, V* s, const V*) const {
    a[0] = sigmoid(a[0]), a[1] = tanh(a[1]), a[2] = sigmoid(a[2]);
    s[1] = mul_add(a[0], s[1] - a[1], a[1]);
    s[2] = mul_add(a[0], s[2] - s[1], s[1]);
    s[0] = a[2] * tanh(s[2]);
  }
  template <class V> void backward(V* a, const V* s, const V* s1, V* d, const V*) const {
    const V one = splat<V>(1), f = a[0], g = a[1], o = a[2], tanh_m = tanh(s1[2]);
    const V dm = mul_add(d[0] * o, one - tanh_m * tanh_m, d[2]), dc = mul_add(dm, one - f, d[1]);
    a[0] = (dm * (s[2] - s1[1]) + dc * (s[1] - g)) * f * (one - f);
    a[1] = dc * (one - f) * (one - g * g);
    a[2] = d[0] * tanh_m * o * (one - o);
    d[0] = V{}, d[1] = dc * f, d[2] = dm * f;
  }
};

// LSTM with peepholes (Gers & Schmidhuber 2000): i and f also see c, o sees c'.
struct Peephole : CellConstants<Peephole> {
  static constexpr CellFacts facts{"peephole",           4,
                                   {0, 4, {0, 1, 2, 3}}, {0, 4, {0, 1, 2, 3}},
                                   {"h", "c"},           {"i", "f", "g", "o"},
                                   {0, 1, 0, 0},         {"p_i", "p_f", "p_o"}};

  template <class V> void forward(V* a, V* s, const V* v) const {
    const V i = sigmoid(mul_add(v[0], s[1], a[0])), f = sigmoid(mul_add(v[1], s[1], a[1])), g = tanh(a[2]);
    s[1] = mul_add(f, s[1], i * g);
    const V o = sigmoid(mul_add(v[2], s[1], a[3]));
    s[0] = o * tanh(s[1]);
    a[0] = i, a[1] = f, a[2] = g, a[3] = o;
  }
  template <class V> void backward(V* a, const V* s, const V* s1, V* d, const V* v) const {
    const V one = splat<V>(1), i = a[0], f = a[1], g = a[2], o = a[3], tanh_c = tanh(s1[1]);
    a[3] = d[0] * tanh_c * o * (one - o);
    const V dc = d[1] + d[0] * o * (one - tanh_c * tanh_c) + a[3] * v[2];
    a[0] = dc * g * i * (one - i);
    a[1] = dc * s[1] * f * (one - f);
    a[2] = dc * i * (one - g * g);
    d[0] = V{};
    d[1] = dc * f + a[0] * v[0] + a[1] * v[1];
  }
  template <class V> void vector_gradients(const V* da, const V* s, const V* s1, V* dv) const {
    dv[0] = da[0] * s[1], dv[1] = da[1] * s[1], dv[2] = da[3] * s1[1];
  }
};

// What is done to a pre-activation, one after the other, is known at run time only.
struct Program {
  struct Operation {
    enum { scale, leak, tanh } kind;
    double by;  // scale: a = by a; leak: a = a + by h
  };
  std::vector<Operation> operations;
};
struct Programmed : CellConstants<Programmed> {
  static constexpr CellFacts facts{"programmed", 1, {0, 1, {0}}, {0, 1, {0}}, {"h"}, {"h"}};
  const Program& program;
  explicit Programmed(const void* p) : program(*static_cast<const Program*>(p)) {}

  template <class V> void forward(V* a, V* s, const V*) const {
    V value = a[0];
    for (const auto& operation : program.operations) {
      const V by = splat<V>(operation.by);
      if (operation.kind == operation.scale) value = value * by;
      else if (operation.kind == operation.leak) value = mul_add(by, s[0], value);
      else value = tanh(value);
    }
    s[0] = value;
  }
  // From the pre-activation, which forward has left as it was: the gradient's factors to a and to h.
  template <class V> void backward(V* a, const V* s, const V*, V* d, const V*) const {
    V value = a[0], to_a = splat<V>(1), to_h = V{};
    for (const auto& operation : program.operations) {
      const V by = splat<V>(operation.by);
      V slope = splat<V>(1);
      if (operation.kind == operation.scale) {
        value = value * by, slope = by;
      } else if (operation.kind == operation.leak) {
        value = mul_add(by, s[0], value), to_h = to_h + by;
      } else {
        value = tanh(value), slope = splat<V>(1) - value * value;
      }
      to_a = to_a * slope, to_h = to_h * slope;
    }
    a[0] = d[0] * to_a;
    d[0] = d[0] * to_h;
  }
};

// GRU as in Cho et al. 2014: the reset gate acts on h before the candidate's product,
//   n = tanh(n_x + W (r h)),  h' = (1 - z) n + z h.
struct ResetBefore : CellConstants<ResetBefore> {
  static constexpr CellFacts facts{
      "reset_before", 3, {0, 3, {0, 1, 2}}, {0, 2, {0, 1}}, {"h"}, {"r", "z", "n"}, {}, {}, {{2, 3, {2}}}};

  template <class V> V pass_on(int, V* a, const V* s, const V*) const {
    a[0] = sigmoid(a[0]), a[1] = sigmoid(a[1]);
    return a[0] * s[0];
  }
  template <class V> void forward(V* a, V* s, const V*) const {
    a[2] = tanh(a[2]);
    s[0] = mul_add(a[1], s[0] - a[2], a[2]);
  }
  template <class V> void backward(V* a, const V* s, const V*, V* d, const V*) const {
    const V one = splat<V>(1), z = a[1], n = a[2], dh = d[0];
    a[1] = dh * (s[0] - n) * z * (one - z);
    a[2] = dh * (one - z) * (one - n * n);
    d[0] = dh * z;
  }
  template <class V> void pass_back(int, V* a, const V* s, V dp, V* d, const V*) const {
    const V r = a[0];
    d[0] = mul_add(dp, r, d[0]);
    a[0] = dp * s[0] * r * (splat<V>(1) - r);
  }
};

}  // namespace
}  // namespace elman::selftest
