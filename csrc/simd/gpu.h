// What a GPU has of its own for math.h, of float: 2^x and 1 / x in an instruction each, to within two last
// bits.
#pragma once

namespace elman {
namespace {

#ifdef __CUDA_ARCH__
__device__ __forceinline__ float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ float reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
#endif

// These are chosen before the templates where V is float. On the host nothing calls them.
ELMAN_INLINE float sigmoid(float x) {
#ifdef __CUDA_ARCH__
  return reciprocal(1 + power_of_two(x * -1.4426950408889634f));
#else
  return sigmoid<float>(x);
#endif
}

// Near zero, where 1 - 2 / (1 + exp(2 x)) would lose bits, x + x^3 q(x^2) with the polynomial of least
// maximum error (8.3e-8 of tanh).
ELMAN_INLINE float tanh(float x) {
#ifdef __CUDA_ARCH__
  const float square = x * x, size = fabsf(x);
  float q = fmaf(square, 0.015612471848726273f, -0.0522117093205452f);
  q = fmaf(square, q, 0.13313114643096924f);
  q = fmaf(square, q, -0.33332598209381104f);
  const float near = fmaf(x * square, q, x);
  const float far = fmaf(-2, reciprocal(1 + power_of_two(size * 2.885390081777927f)), 1);
  return size < 0.6f ? near : copysignf(far, x);
#else
  return tanh<float>(x);
#endif
}

}  // namespace
}  // namespace elman
