// The vector type: L lanes of T, or T itself where L is 1, with the few operations that the
// compilers' vector extensions do not spell (fused multiply-add, square root, partial loads and stores).
//
// Everything that isa/table.h includes is compiled once per instruction set and
// lives in an unnamed namespace: with external linkage the linker would keep one copy of an inline
// function for all sets and could pick one that this processor cannot run.
#pragma once

#include <cstdint>
#include <type_traits>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

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

#if defined(__AVX2__)
// All bits set in the first n lanes.
template <class V> ELMAN_INLINE auto first_lanes(int n) {
  using Int = std::conditional_t<sizeof(Scalar<V>) == 4, int32_t, int64_t>;
  Vec<Int, Lanes<V>::count> lane{};
  for (int i = 0; i < Lanes<V>::count; ++i) lane[i] = i;
  return lane < Int(n);
}
#endif

// The first n lanes, 1 <= n; the others read as zero. Memory beyond p[n) is not touched.
template <class V> ELMAN_INLINE V load_first(const Scalar<V>* p, int n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64 && sizeof(Scalar<V>) == 4) return (V)_mm512_maskz_loadu_ps((1u << n) - 1, p);
  if constexpr (sizeof(V) == 64 && sizeof(Scalar<V>) == 8) return (V)_mm512_maskz_loadu_pd((1u << n) - 1, p);
#elif defined(__AVX2__)
  if constexpr (sizeof(V) == 32) {
    const auto mask = (__m256i)first_lanes<V>(n);
    if constexpr (sizeof(Scalar<V>) == 4) return (V)_mm256_maskload_ps(p, mask);
    else return (V)_mm256_maskload_pd(p, mask);
  }
#endif
  if constexpr (Lanes<V>::count == 1) {
    return *p;
  } else {
    V v{};
    for (int i = 0; i < n; ++i) v[i] = p[i];
    return v;
  }
}

template <class V> ELMAN_INLINE void store_first(Scalar<V>* p, V v, int n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64 && sizeof(Scalar<V>) == 4)
    return _mm512_mask_storeu_ps(p, (1u << n) - 1, (__m512)v);
  if constexpr (sizeof(V) == 64 && sizeof(Scalar<V>) == 8)
    return _mm512_mask_storeu_pd(p, (1u << n) - 1, (__m512d)v);
#elif defined(__AVX2__)
  if constexpr (sizeof(V) == 32) {
    const auto mask = (__m256i)first_lanes<V>(n);
    if constexpr (sizeof(Scalar<V>) == 4) return _mm256_maskstore_ps(p, mask, (__m256)v);
    else return _mm256_maskstore_pd(p, mask, (__m256d)v);
  }
#endif
  if constexpr (Lanes<V>::count == 1) {
    *p = v;
  } else {
    for (int i = 0; i < n; ++i) p[i] = v[i];
  }
}

// a * b + c, in one rounding where the instruction set has it. Written out because files are compiled
// with -ffp-contract=off: which products a compiler fuses may differ from one tile size to the next,
// and then a row's bits would depend on its neighbours.
template <class V> ELMAN_INLINE V mul_add(V a, V b, V c) {
  [[maybe_unused]] constexpr int bytes = sizeof(V), element = sizeof(Scalar<V>);
#if defined(__AVX512F__)
  if constexpr (bytes == 64 && element == 4) return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
  if constexpr (bytes == 64 && element == 8) return (V)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__)
  if constexpr (bytes == 32 && element == 4) return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
  if constexpr (bytes == 32 && element == 8) return (V)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__ARM_NEON)
  if constexpr (bytes == 16 && element == 4)
    return (V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
  if constexpr (bytes == 16 && element == 8)
    return (V)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#endif
  return a * b + c;
}

// Each lane as a double.
template <class D, class V> ELMAN_INLINE D widen(V v) {
  if constexpr (Lanes<V>::count == 1) return v;
  else return __builtin_convertvector(v, D);
}

// The square root of each lane, correctly rounded.
template <class V> ELMAN_INLINE V square_root(V v) {
  [[maybe_unused]] constexpr int bytes = sizeof(V), element = sizeof(Scalar<V>);
#if defined(__AVX512F__)
  if constexpr (bytes == 64 && element == 4) return (V)_mm512_maskz_sqrt_ps(0xffff, (__m512)v);
  if constexpr (bytes == 64 && element == 8) return (V)_mm512_maskz_sqrt_pd(0xff, (__m512d)v);
#elif defined(__AVX2__)
  if constexpr (bytes == 32 && element == 4) return (V)_mm256_sqrt_ps((__m256)v);
  if constexpr (bytes == 32 && element == 8) return (V)_mm256_sqrt_pd((__m256d)v);
#elif defined(__ARM_NEON)
  if constexpr (bytes == 16 && element == 4) return (V)vsqrtq_f32((float32x4_t)v);
  if constexpr (bytes == 16 && element == 8) return (V)vsqrtq_f64((float64x2_t)v);
#endif
  if constexpr (Lanes<V>::count == 1) {
    if constexpr (element == 4) return __builtin_sqrtf(v);
    else return __builtin_sqrt(v);
  } else {
    for (int i = 0; i < Lanes<V>::count; ++i) v[i] = square_root<Scalar<V>>(v[i]);
    return v;
  }
}

// The smaller and the larger of two in each lane; b where one of them is NaN. (One instruction each on x86,
// which the compiler does not find for vectors; with a full mask, because g++ 12 warns of the plain forms.)
template <class V> ELMAN_INLINE V smaller(V a, V b) {
  [[maybe_unused]] constexpr int bytes = sizeof(V), element = sizeof(Scalar<V>);
#if defined(__AVX512F__)
  if constexpr (bytes == 64 && element == 4) return (V)_mm512_maskz_min_ps(0xffff, (__m512)a, (__m512)b);
  if constexpr (bytes == 64 && element == 8) return (V)_mm512_maskz_min_pd(0xff, (__m512d)a, (__m512d)b);
#elif defined(__AVX2__)
  if constexpr (bytes == 32 && element == 4) return (V)_mm256_min_ps((__m256)a, (__m256)b);
  if constexpr (bytes == 32 && element == 8) return (V)_mm256_min_pd((__m256d)a, (__m256d)b);
#endif
  return a < b ? a : b;
}
template <class V> ELMAN_INLINE V larger(V a, V b) {
  [[maybe_unused]] constexpr int bytes = sizeof(V), element = sizeof(Scalar<V>);
#if defined(__AVX512F__)
  if constexpr (bytes == 64 && element == 4) return (V)_mm512_maskz_max_ps(0xffff, (__m512)a, (__m512)b);
  if constexpr (bytes == 64 && element == 8) return (V)_mm512_maskz_max_pd(0xff, (__m512d)a, (__m512d)b);
#elif defined(__AVX2__)
  if constexpr (bytes == 32 && element == 4) return (V)_mm256_max_ps((__m256)a, (__m256)b);
  if constexpr (bytes == 32 && element == 8) return (V)_mm256_max_pd((__m256d)a, (__m256d)b);
#endif
  return a > b ? a : b;
}

// Fetches a cache line that will be written soon. Any address will do.
ELMAN_INLINE void prefetch(const void* p) { __builtin_prefetch(p, 1, 3); }

// Keeps v in a register from here on. Without it g++ reads a weight from memory again for each row of
// the tile (110 against 145 GFLOP/s on a 179 GFLOP/s machine).
template <class V> ELMAN_INLINE void pin(V& v) {
#if defined(__x86_64__)
  if constexpr (sizeof(V) >= 32) asm("" : "+v"(v));
  else asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#else
  (void)v;
#endif
}

// Denormals count as zero while one of these lives; the caller's mode comes back afterwards.
class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : saved_(__builtin_ia32_stmxcsr()) { __builtin_ia32_ldmxcsr(saved_ | 0x8040); }
  ~FlushDenormals() { __builtin_ia32_ldmxcsr(saved_); }

 private:
  unsigned saved_;
#elif defined(__aarch64__)
  FlushDenormals() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    asm volatile("msr fpcr, %0" ::"r"(saved_ | (1ull << 24)));
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(saved_)); }

 private:
  unsigned long long saved_;
#else
  FlushDenormals() {}
#endif
};

}  // namespace
}  // namespace elman
