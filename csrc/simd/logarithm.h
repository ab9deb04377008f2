// log, softplus and an exp without limits, over vectors or scalars; from math.h's pieces.
#pragma once

#include "simd/math.h"

namespace elman {
namespace {

template <class T> struct LogConstants;
template <> struct LogConstants<float> {
  using Int = int32_t;
  static constexpr Int root_half = 0x3f3504f3;  // the bits of sqrt(1/2)
  static constexpr float least = 1.17549435e-38f, infinity = __builtin_inff();
  static constexpr int terms =
      5;  // of atanh's series, for |z| < 0.172: the first one left out is below 2^-28
  static constexpr int terms_of_softplus = 8;  // for z <= 1/3
};
template <> struct LogConstants<double> {
  using Int = int64_t;
  static constexpr Int root_half = 0x3fe6a09e667f3bcd;
  static constexpr double least = 2.2250738585072014e-308, infinity = __builtin_inf();
  static constexpr int terms = 11, terms_of_softplus = 16;
};

// atanh(z) by its series; the relative error is small near zero too.
template <int Terms, class V> ELMAN_INLINE V atanh_of(V z) {
  return z * atanh_series<V, Terms - 1>(z * z, splat<V>(Scalar<V>(1.0 / (2 * Terms + 1))));
}

// log(x) = e ln(2) + 2 atanh((m - 1) / (m + 1)) with x = 2^e m, sqrt(1/2) <= m < sqrt(2). NaN below zero;
// what is denormal counts as zero, as everywhere in kernels.
template <class V> ELMAN_INLINE V log(V x) {
  using T = Scalar<V>;
  using C = LogConstants<T>;
  using Int = Vec<typename C::Int, Lanes<V>::count>;
  constexpr int mantissa = ExpConstants<T>::mantissa;
  const Int above = bit_cast<Int>(x) - (Int{} + C::root_half);
  const Int exponent = above >> mantissa, rest = above & (Int{} + ((typename C::Int{1} << mantissa) - 1));
  const V m = bit_cast<V>(rest + (Int{} + C::root_half));
  V e;
  if constexpr (Lanes<V>::count == 1) e = static_cast<T>(exponent);
  else e = __builtin_convertvector(exponent, V);
  const V one = splat<V>(1), a = atanh_of<C::terms>((m - one) / (m + one));
  V y = mul_add(e, splat<V>(ExpConstants<T>::ln2_lower), a + a);
  y = mul_add(e, splat<V>(ExpConstants<T>::ln2_upper), y);
  y = x < splat<V>(C::least) ? splat<V>(-C::infinity) : y;
  y = x < V{} ? splat<V>(-__builtin_nan("")) : y;
  return x < splat<V>(C::infinity) ? y : x;  // infinity and NaN stay
}

// log(1 + exp(x)) = max(x, 0) + log(1 + y) with y = exp(-|x|), and log(1 + y) = 2 atanh(y / (2 + y)).
template <class V> ELMAN_INLINE V softplus(V x) {
  const V y = exp(smaller(x, -x)),
          a = atanh_of<LogConstants<Scalar<V>>::terms_of_softplus>(y / (splat<V>(2) + y));
  return larger(V{}, x) + (a + a);
}

// exp(x) down to zero and up to infinity, where math.h's stays within the normal numbers: as a square, so it
// errs by up to 2.5 units of the last place.
template <class V> ELMAN_INLINE V exp_unbounded(V x) {
  const V root = exp(x * splat<V>(Scalar<V>(0.5)));
  return root * root;
}

}  // namespace
}  // namespace elman
