// The vector type: L lanes of T, or T itself if L is 1. Here is what the compilers' vector extensions can do
// without help from an instruction set.
#pragma once

#include <cstdint>
#include <type_traits>

#if defined(__CUDACC__)
#define ELMAN_INLINE __host__ __device__ __forceinline__
#else
#define ELMAN_INLINE inline __attribute__((always_inline))
#endif
#define ELMAN_INLINED __attribute__((always_inline))  // after a lambda's parameters

namespace elman {
namespace {

template <class T, int L> struct VecOf {
  typedef T type __attribute__((vector_size(L * sizeof(T))));
};
template <class T> struct VecOf<T, 1> {
  using type = T;
};
template <class T, int L> using Vec = typename VecOf<T, L>::type;

// What a vector (or scalar) type V is made of.
template <class V> struct Lanes {
  static V example();
  using T = std::remove_cv_t<std::remove_reference_t<decltype(example()[0])>>;
  static constexpr int count = sizeof(V) / sizeof(T);
};
template <> struct Lanes<float> {
  using T = float;
  static constexpr int count = 1;
};
template <> struct Lanes<double> {
  using T = double;
  static constexpr int count = 1;
};

template <class V> using Scalar = typename Lanes<V>::T;

template <class To, class From> ELMAN_INLINE To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

template <class V> ELMAN_INLINE V splat(Scalar<V> value) {
  if constexpr (Lanes<V>::count == 1) return value;
  else return value - V{};  // a broadcast: value - 0 keeps NaN, infinity and the sign of zero
}

template <class V> ELMAN_INLINE V load(const Scalar<V>* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class V> ELMAN_INLINE void store(Scalar<V>* p, V v) { __builtin_memcpy(p, &v, sizeof v); }

// Each lane as a double.
template <class D, class V> ELMAN_INLINE D widen(V v) {
  if constexpr (Lanes<V>::count == 1) return v;
  else return __builtin_convertvector(v, D);
}

// Each lane rounded to a narrower type.
template <class N, class V> ELMAN_INLINE N narrow(V v) {
  if constexpr (Lanes<V>::count == 1) return static_cast<N>(v);
  else return __builtin_convertvector(v, N);
}

// From here on the compiler knows nothing of a pointer or number. So it computes no addresses ahead of a loop
// that has too few registers for them.
template <class P> ELMAN_INLINE void hide(P& p) { asm("" : "+r"(p)); }

// Fetches a cache line that will be read soon, or written. Any address will do.
ELMAN_INLINE void prefetch_for_read(const void* p) { __builtin_prefetch(p, 0, 3); }
ELMAN_INLINE void prefetch_for_write(const void* p) { __builtin_prefetch(p, 1, 3); }

}  // namespace
}  // namespace elman
