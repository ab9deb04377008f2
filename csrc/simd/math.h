// exp, sigmoid and tanh over vectors or scalars, float and double, from one reduction:
// x = n ln2 + r with |r| <= ln2 / 2, exp(x) = 2^n (1 + p), p = expm1(r) by its Taylor series.
// Keeping p apart from the 1 gives tanh its relative accuracy near zero. NaN comes through as NaN.
#pragma once

#include "simd/vec.h"

namespace elman {
namespace {

template <class T> struct ExpConstants;
template <> struct ExpConstants<float> {
  using Int = int32_t;
  static constexpr int mantissa = 23, degree = 7;  // 0.35^8 / 8! < 2^-26
  static constexpr float round = 12582912.0f;      // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float exp_limit = 87.0f;   // exp(+-87) is a normal number
  static constexpr float tanh_limit = 18.1f;  // 2x beyond which tanh(x) rounds to 1
};
template <> struct ExpConstants<double> {
  using Int = int64_t;
  static constexpr int mantissa = 52, degree = 13;  // 0.35^14 / 14! < 2^-57
  static constexpr double round = 6755399441055744.0;
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr double exp_limit = 708.0, tanh_limit = 38.2;
};

constexpr double inverse_factorial(int k) { return k < 2 ? 1.0 : inverse_factorial(k - 1) / k; }

template <class V> ELMAN_INLINE V clamp(V x, Scalar<V> limit) {
  const V high = splat<V>(limit), low = splat<V>(-limit);
  x = x > high ? high : x;  // comparisons with NaN are false, so NaN stays
  return x < low ? low : x;
}

template <class V, int K> ELMAN_INLINE V expm1_series(V r, V sum) {
  if constexpr (K == 0) return sum * r;
  else return expm1_series<V, K - 1>(r, mul_add(sum, r, splat<V>(Scalar<V>(inverse_factorial(K)))));
}

// exp(x) = scale * (1 + p), for x within the exp_limit.
template <class V> ELMAN_INLINE void exp_parts(V x, V& scale, V& p) {
  using T = Scalar<V>;
  using C = ExpConstants<T>;
  using Int = Vec<typename C::Int, Lanes<V>::count>;
  const V shifted = mul_add(x, splat<V>(T(1.4426950408889634)), splat<V>(C::round));
  const V n = shifted - splat<V>(C::round);
  V r = mul_add(n, splat<V>(-C::ln2_high), x);
  r = mul_add(n, splat<V>(-C::ln2_low), r);
  // The low bits of `shifted` hold n: moved to the exponent and added to the bits of 1.0 they are 2^n.
  using Unsigned = Vec<std::make_unsigned_t<typename C::Int>, Lanes<V>::count>;
  const Unsigned exponent = bit_cast<Unsigned>(shifted) << C::mantissa;
  scale = bit_cast<V>(bit_cast<Int>(exponent) + bit_cast<Int>(splat<V>(T(1))));
  p = expm1_series<V, C::degree - 1>(r, splat<V>(T(inverse_factorial(C::degree))));
}

template <class V> ELMAN_INLINE V sigmoid(V x) {
  V scale, p;
  exp_parts(clamp(-x, ExpConstants<Scalar<V>>::exp_limit), scale, p);
  const V one = splat<V>(1);
  return one / (one + mul_add(scale, p, scale));
}

template <class V> ELMAN_INLINE V tanh(V x) {
  V scale, p;
  exp_parts(clamp(x + x, ExpConstants<Scalar<V>>::tanh_limit), scale, p);
  const V expm1 = mul_add(scale, p, scale - splat<V>(1));
  return expm1 / (expm1 + splat<V>(2));
}

}  // namespace
}  // namespace elman
