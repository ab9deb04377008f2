// exp, sigmoid and tanh over vectors or scalars, float and double, from one reduction: for a constant K,
// x = n ln(2) / K + r with |K r| <= ln(2) / 2, exp(K x) = 2^n (1 + K p), p = (exp(K r) - 1) / K = r + r^2 K
// q(K r). p is kept apart from the 1, so that tanh has a small relative error near zero, where r is x. NaN
// stays NaN.
#pragma once

#include "simd/vec.h"

namespace elman {
namespace {

// The coefficients of q, which stands for (exp(r) - 1 - r) / r^2. Float: the polynomial of least maximum
// error (1.4e-8 of exp(r) - 1), found by iterated weighted least squares. Double: the Taylor series,
// 1 / (k + 2)!, whose first term left out is below 2^-56 of r. ln(2) is stored as the sum of two parts. The
// upper part has so few bits that n times it is exact. Then x minus that is exact too, with or without a
// fused multiply-add.
template <class T> struct ExpConstants;
template <> struct ExpConstants<float> {
  using Int = int32_t;
  static constexpr int mantissa = 23;
  static constexpr float round = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float exp_limit = 87.0f;    // exp(+-87) is a normal number
  static constexpr float tanh_limit = 9.05f;   // beyond it tanh(x) rounds to 1
  static constexpr float ln2_upper = 0.693359375f, ln2_lower = -2.12194440e-4f;
  static constexpr float q[] = {0.49999997f, 0.16666546f, 0.041667435f, 0.008366262f, 0.0013870656f};
};
template <> struct ExpConstants<double> {
  using Int = int64_t;
  static constexpr int mantissa = 52;
  static constexpr double round = 6755399441055744.0;
  static constexpr double exp_limit = 708.0, tanh_limit = 19.1;
  static constexpr double ln2_upper = 0.6931471803691238, ln2_lower = 1.9082149292705877e-10;
  static constexpr double q[] = {0.5,
                                 0.16666666666666666,
                                 0.041666666666666664,
                                 0.008333333333333333,
                                 0.001388888888888889,
                                 0.0001984126984126984,
                                 2.48015873015873e-05,
                                 2.7557319223985893e-06,
                                 2.755731922398589e-07,
                                 2.505210838544172e-08,
                                 2.08767569878681e-09,
                                 1.6059043836821613e-10};
};

constexpr int power(int base, int exponent) { return exponent ? base * power(base, exponent - 1) : 1; }

// The terms of K q(K r) from that of r^k down.
template <int K, class V, int k> ELMAN_INLINE V series(V r, V sum) {
  if constexpr (k < 0) return sum;
  else {
    constexpr Scalar<V> q = ExpConstants<Scalar<V>>::q[k] * power(K, k + 1);
    return series<K, V, k - 1>(r, mul_add(sum, r, splat<V>(q)));
  }
}

// exp(K x) = |scale| (1 + K p) for x within the limits; scale has the sign of K.
template <int K, class V> ELMAN_INLINE void exp_parts(V x, V& scale, V& p) {
  using T = Scalar<V>;
  using C = ExpConstants<T>;
  using Int = Vec<typename C::Int, Lanes<V>::count>;
  using Unsigned = Vec<std::make_unsigned_t<typename C::Int>, Lanes<V>::count>;
  constexpr int last = sizeof(C::q) / sizeof(T) - 1;
  constexpr T first = C::q[last] * power(K, last + 1);
  const V shifted = mul_add(x, splat<V>(T(K * 1.4426950408889634)), splat<V>(C::round));
  const V n = shifted - splat<V>(C::round);
  V r;
  if constexpr (K == 2) {  // tanh: n is so small that the second part is not needed
    r = mul_add(n, splat<V>(T(-0.6931471805599453 / K)), x);
  } else {
    r = mul_add(n, splat<V>(-C::ln2_upper / K), x);
    r = mul_add(n, splat<V>(-C::ln2_lower / K), r);
  }
  // The low bits of `shifted` hold n: moved to the exponent and added to the bits of 1.0 they are 2^n.
  const Unsigned exponent = bit_cast<Unsigned>(shifted) << C::mantissa;
  scale = bit_cast<V>(bit_cast<Int>(exponent) + bit_cast<Int>(splat<V>(T(K < 0 ? -1 : 1))));
  p = mul_add(r * r, series<K, V, last - 1>(r, splat<V>(first)), r);
}

// exp's argument: x, or the limit on its side.
template <class V> ELMAN_INLINE V clamp(V x) {
  constexpr Scalar<V> limit = ExpConstants<Scalar<V>>::exp_limit;
  return larger(splat<V>(-limit), smaller(splat<V>(limit), x));
}

template <class V> ELMAN_INLINE V exp(V x) {
  V scale, p;
  exp_parts<1>(clamp(x), scale, p);
  return mul_add(scale, p, scale);
}

template <class V, int K> ELMAN_INLINE V atanh_series(V z_squared, V sum) {
  if constexpr (K < 0) return sum;
  else
    return atanh_series<V, K - 1>(z_squared, mul_add(sum, z_squared, splat<V>(Scalar<V>(1.0 / (2 * K + 1)))));
}

// log(x) for 1 <= x <= 3, as log(sqrt(3)) + 2 atanh(z) with z = (x - sqrt(3)) / (x + sqrt(3)), |z| < 0.268.
// The first term left out is below 2^-58. The absolute error is a last bit of 1.
template <class V> ELMAN_INLINE V log_from_1_to_3(V x) {
  using T = Scalar<V>;
  const V root = splat<V>(T(1.7320508075688772)), z = (x - root) / (x + root), zz = z * z;
  return mul_add(z + z, atanh_series<V, 12>(zz, splat<V>(T(1.0 / 27))), splat<V>(T(0.5493061443340549)));
}

template <class V> ELMAN_INLINE V sigmoid(V x) {
  V scale, p;
  exp_parts<-1>(clamp(x), scale, p);
  const V one = splat<V>(1);
  return one / mul_add(scale, p, one - scale);  // 1 + exp(-x) with one rounding: 1 - scale is mostly exact
}

// (exp(2x) - 1) / (exp(2x) + 1), computed for -|x|: there the numerator is small, and so is its error. At the
// end the sign is put back.
template <class V> ELMAN_INLINE V tanh(V x) {
  using C = ExpConstants<Scalar<V>>;
  using Bits = Vec<typename C::Int, Lanes<V>::count>;
  const Bits minus = bit_cast<Bits>(splat<V>(Scalar<V>(-0.0)));
  V scale, p;
  exp_parts<2>(larger(splat<V>(-C::tanh_limit), bit_cast<V>(bit_cast<Bits>(x) | minus)), scale, p);
  const V half = splat<V>(Scalar<V>(0.5));
  const V y = mul_add(scale, p, mul_add(scale, half, -half)) / mul_add(scale, p, mul_add(scale, half, half));
  return bit_cast<V>((bit_cast<Bits>(y) & ~minus) | (bit_cast<Bits>(x) & minus));
}

}  // namespace
}  // namespace elman
