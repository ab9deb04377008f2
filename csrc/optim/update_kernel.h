// Optimisers: one pass over a parameter, its gradient and its states, each read and written once. The
// equations are PyTorch's. They use plain products and sums, never mul_add: so the bits are the same on every
// instruction set, and it costs nothing, because memory sets the speed.
#pragma once

#include "kernels/updates.h"
#include "tile/lanes.h"

namespace elman {
namespace {

// p' from p, its gradient g and the States states s, which it changes.

// s = momentum s + g,  p' = p - rate s;  Nesterov's: p' = p - rate (g + momentum s).
template <int States, class V, class T> ELMAN_INLINE V step(const Sgd<T>& k, V p, V g, V* s) {
  if constexpr (States == 1) {
    s[0] = k.momentum * s[0] + g;
    g = k.nesterov ? g + k.momentum * s[0] : s[0];
  }
  return p - k.rate * g;
}

// s0 = keep s0 + add g^2,  d = g / (sqrt(s0) + epsilon),  p' = p - rate d;
// with momentum s1 = momentum s1 + d,  p' = p - rate s1.
template <int States, class V, class T> ELMAN_INLINE V step(const RmsProp<T>& k, V p, V g, V* s) {
  s[0] = k.keep * s[0] + k.add * g * g;
  V d = g / (square_root(s[0]) + k.epsilon);
  if constexpr (States == 2) d = s[1] = k.momentum * s[1] + d;
  return p - k.rate * d;
}

// m = keep_first m + add_first g,  v = keep_second v + add_second g^2,
// p' = shrink p - rate m / (sqrt(v) + epsilon);  the moments' corrections are in rate and epsilon.
template <int States, class V, class T> ELMAN_INLINE V step(const Adam<T>& k, V p, V g, V* s) {
  s[0] = k.keep_first * s[0] + k.add_first * g;
  s[1] = k.keep_second * s[1] + k.add_second * g * g;
  return k.shrink * p - k.rate * (s[0] / (square_root(s[1]) + k.epsilon));
}

template <class T, int L, int States, class R> ELMAN_INLINE void update_all(R rule, const Slice<T>& slice) {
  using V = Vec<T, L>;
  const int count = static_cast<int>(slice.count);
  for (int i = 0; i < count; i += L) {
    const Extent extent{count - i};
    V s[max_rule_states];
    unroll<States>([&](auto k) ELMAN_INLINED { s[k] = extent.template load_at<V>(slice.state[k] + i, 0); });
    const V p = extent.template load_at<V>(slice.value + i, 0);
    const V g = rule.scale * extent.template load_at<V>(slice.grad + i, 0) + rule.decay * p;
    extent.store_at(slice.value + i, 0, step<States>(rule, p, g, s));
    unroll<States>([&](auto k) ELMAN_INLINED { extent.store_at(slice.state[k] + i, 0, s[k]); });
  }
}

template <class T, int L, class R> void update(const R& rule, const Slice<T>& slice) {
  const FlushDenormals flush;
  if (slice.state[R::most_states - 1]) update_all<T, L, R::most_states>(rule, slice);
  else if constexpr (R::least_states < R::most_states) update_all<T, L, R::least_states>(rule, slice);
}

// value += grad
template <class T, int L> void add(const Slice<T>& slice) {
  using V = Vec<T, L>;
  const FlushDenormals flush;
  const int count = static_cast<int>(slice.count);
  for (int i = 0; i < count; i += L) {
    const Extent extent{count - i};
    const V own = extent.template load_at<V>(slice.value + i, 0);
    extent.store_at(slice.value + i, 0, own + extent.template load_at<V>(slice.grad + i, 0));
  }
}

// In double whatever T is: L lanes of double.
template <class T, int L> double sum_of_squares(const T* x, int n) {
  constexpr int W = sum_lanes / L;
  using D = Vec<double, L>;
  const FlushDenormals flush;
  D sums[W];
  unroll<W>([&](auto w) ELMAN_INLINED { sums[w] = D{}; });
  by_lanes<T, L>(x, n, T(0), [&](int, const Vec<T, L>* v) ELMAN_INLINED {
    unroll<W>([&](auto w) ELMAN_INLINED {
      const D wide = widen<D>(v[w]);
      sums[w] = sums[w] + wide * wide;
    });
  });
  double lanes[sum_lanes];
  unroll<W>([&](auto w) ELMAN_INLINED { store(lanes + w * L, sums[w]); });
  return add_lanes(lanes);
}

}  // namespace
}  // namespace elman
