// Cells that the library does not have, one for each part of the contract (csrc/cells/cell.h) that its own
// cells leave alone.
#pragma once

#include "cells/cell.h"
#include "simd/math.h"

namespace elman::selftest {
namespace {

// c' = f c + (1 - f) g,  m' = f m + (1 - f) c',  h' = o tanh(m').
struct ThreeStates : CellConstants<ThreeStates> {
  static constexpr CellFacts facts{"three_states", 3, {0, 3, {0, 1, 2}}, {0, 3, {0, 1, 2}}, {"h", "c", "m"},
                                   {"f", "g", "o"}};

  template <class V> void forward(V* a, V* s) const {
    a[0] = sigmoid(a[0]), a[1] = tanh(a[1]), a[2] = sigmoid(a[2]);
    s[1] = mul_add(a[0], s[1] - a[1], a[1]);
    s[2] = mul_add(a[0], s[2] - s[1], s[1]);
    s[0] = a[2] * tanh(s[2]);
  }
  template <class V> void backward(V* a, const V* s, const V* s1, V* d) const {
    const V one = splat<V>(1), f = a[0], g = a[1], o = a[2], tanh_m = tanh(s1[2]);
    const V dm = mul_add(d[0] * o, one - tanh_m * tanh_m, d[2]), dc = mul_add(dm, one - f, d[1]);
    a[0] = (dm * (s[2] - s1[1]) + dc * (s[1] - g)) * f * (one - f);
    a[1] = dc * (one - f) * (one - g * g);
    a[2] = d[0] * tanh_m * o * (one - o);
    d[0] = V{}, d[1] = dc * f, d[2] = dm * f;
  }
};

// GRU as in Cho et al. 2014: the reset gate acts on h before the candidate's product,
//   n = tanh(n_x + W (r h)),  h' = (1 - z) n + z h.
struct ResetBefore : CellConstants<ResetBefore> {
  static constexpr CellFacts facts{"reset_before",  3,  {0, 3, {0, 1, 2}}, {0, 2, {0, 1}}, {"h"},
                                   {"r", "z", "n"}, {}, {{2, 3, {2}}}};

  template <class V> V pass_on(int, V* a, const V* s) const {
    a[0] = sigmoid(a[0]), a[1] = sigmoid(a[1]);
    return a[0] * s[0];
  }
  template <class V> void forward(V* a, V* s) const {
    a[2] = tanh(a[2]);
    s[0] = mul_add(a[1], s[0] - a[2], a[2]);
  }
  template <class V> void backward(V* a, const V* s, const V*, V* d) const {
    const V one = splat<V>(1), z = a[1], n = a[2], dh = d[0];
    a[1] = dh * (s[0] - n) * z * (one - z);
    a[2] = dh * (one - z) * (one - n * n);
    d[0] = dh * z;
  }
  template <class V> void pass_back(int, V* a, const V* s, V dp, V* d) const {
    const V r = a[0];
    d[0] = mul_add(dp, r, d[0]);
    a[0] = dp * s[0] * r * (splat<V>(1) - r);
  }
};

}  // namespace
}  // namespace elman::selftest
