// exp, sigmoid and tanh over vectors or scalars, float and double, from one reduction: for a constant k,
// k x log2(e) = n + r with |r| <= 1/2, exp(k x) = 2^n (1 + p), p = 2^r - 1 = r q(r).
// Keeping p apart from the 1 gives tanh its relative accuracy near zero. NaN comes through as NaN.
#pragma once

#include "simd/vec.h"

namespace elman {
namespace {

// q: for float the polynomial of least maximum error (7.5e-9) to (2^r - 1) / r, found by iterated weighted
// least squares; for double its Taylor series, ln(2)^(k + 1) / (k + 1)!, whose first term left out is below
// 2^-58.
template <class T> struct ExpConstants;
template <> struct ExpConstants<float> {
  using Int = int32_t;
  static constexpr int mantissa = 23;
  static constexpr float round = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float exp_limit = 87.0f;    // exp(+-87) is a normal number
  static constexpr float tanh_limit = 9.05f;   // beyond it tanh(x) rounds to 1
  static constexpr float q[] = {0.69314718f,   0.24022651f,   0.055503570f,
                                0.0096180309f, 0.0013390867f, 0.00015469736f};
};
template <> struct ExpConstants<double> {
  using Int = int64_t;
  static constexpr int mantissa = 52;
  static constexpr double round = 6755399441055744.0;
  static constexpr double exp_limit = 708.0, tanh_limit = 19.1;
  static constexpr double q[] = {0.6931471805599453,     0.2402265069591007,     0.05550410866482158,
                                 0.009618129107628477,   0.0013333558146428443,  0.0001540353039338161,
                                 1.5252733804059841e-05, 1.3215486790144309e-06, 1.0178086009239699e-07,
                                 7.054911620801123e-09,  4.445538271870811e-10,  2.5678435993488206e-11,
                                 1.3691488853904129e-12};
};

template <class V, int K> ELMAN_INLINE V series(V r, V sum) {
  if constexpr (K < 0) return sum;
  else {
    constexpr Scalar<V> q = ExpConstants<Scalar<V>>::q[K];
    return series<V, K - 1>(r, mul_add(sum, r, splat<V>(q)));
  }
}

// exp(k x) = scale * (1 + p), for |x| <= limit.
template <class V> ELMAN_INLINE void exp_parts(V x, int k, Scalar<V> limit, V& scale, V& p) {
  using T = Scalar<V>;
  using C = ExpConstants<T>;
  using Int = Vec<typename C::Int, Lanes<V>::count>;
  using Unsigned = Vec<std::make_unsigned_t<typename C::Int>, Lanes<V>::count>;
  constexpr int last = sizeof(C::q) / sizeof(T) - 1;
  constexpr T first = C::q[last];
  const V factor = splat<V>(T(k * 1.4426950408889634));
  x = larger(splat<V>(-limit), smaller(splat<V>(limit), x));
  const V shifted = mul_add(x, factor, splat<V>(C::round)), n = shifted - splat<V>(C::round);
  const V r = mul_add(x, factor, -n);
  // The low bits of `shifted` hold n: moved to the exponent and added to the bits of 1.0 they are 2^n.
  const Unsigned exponent = bit_cast<Unsigned>(shifted) << C::mantissa;
  scale = bit_cast<V>(bit_cast<Int>(exponent) + bit_cast<Int>(splat<V>(T(1))));
  p = series<V, last - 1>(r, splat<V>(first)) * r;
}

template <class V> ELMAN_INLINE V exp(V x) {
  V scale, p;
  exp_parts(x, 1, ExpConstants<Scalar<V>>::exp_limit, scale, p);
  return mul_add(scale, p, scale);
}

template <class V, int K> ELMAN_INLINE V atanh_series(V z_squared, V sum) {
  if constexpr (K < 0) return sum;
  else
    return atanh_series<V, K - 1>(z_squared, mul_add(sum, z_squared, splat<V>(Scalar<V>(1.0 / (2 * K + 1)))));
}

// log(x) for 1 <= x <= 3, as log(sqrt(3)) + 2 atanh(z) with z = (x - sqrt(3)) / (x + sqrt(3)), |z| < 0.268:
// the first term left out is below 2^-58. Its error is absolute, of a last bit of 1.
template <class V> ELMAN_INLINE V log_from_1_to_3(V x) {
  using T = Scalar<V>;
  const V root = splat<V>(T(1.7320508075688772)), z = (x - root) / (x + root), zz = z * z;
  return mul_add(z + z, atanh_series<V, 12>(zz, splat<V>(T(1.0 / 27))), splat<V>(T(0.5493061443340549)));
}

template <class V> ELMAN_INLINE V sigmoid(V x) {
  V scale, p;
  exp_parts(x, -1, ExpConstants<Scalar<V>>::exp_limit, scale, p);
  const V one = splat<V>(1);
  return one / (one + mul_add(scale, p, scale));
}

template <class V> ELMAN_INLINE V tanh(V x) {
  V scale, p;
  exp_parts(x, 2, ExpConstants<Scalar<V>>::tanh_limit, scale, p);
  const V expm1 = mul_add(scale, p, scale - splat<V>(1));
  return expm1 / (expm1 + splat<V>(2));
}

}  // namespace
}  // namespace elman
