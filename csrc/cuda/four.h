// The four values of a lane, of two units in each of two segments, as a vector that cells compute with. An
// operation is done for all four before the next is begun: four short chains side by side instead of one
// after the other.
#pragma once

#include "device.h"
#include "simd/math.h"

namespace elman::cuda {

struct Four {
  float v[4];  // [2 * segment + unit]
  ELMAN_DEVICE float operator[](int i) const { return v[i]; }
};

template <class Function> ELMAN_DEVICE Four each(const Function& function) {
  Four y;
  ELMAN_UNROLL
  for (int i = 0; i < 4; ++i) y.v[i] = function(i);
  return y;
}

ELMAN_DEVICE Four operator+(Four a, Four b) {
  return each([&](int i) { return a.v[i] + b.v[i]; });
}
ELMAN_DEVICE Four operator-(Four a, Four b) {
  return each([&](int i) { return a.v[i] - b.v[i]; });
}
ELMAN_DEVICE Four operator-(float a, Four b) {
  return each([&](int i) { return a - b.v[i]; });
}
ELMAN_DEVICE Four operator*(Four a, Four b) {
  return each([&](int i) { return a.v[i] * b.v[i]; });
}
ELMAN_DEVICE Four operator/(Four a, Four b) {
  return each([&](int i) { return a.v[i] / b.v[i]; });
}
ELMAN_DEVICE Four operator-(Four a) {
  return each([&](int i) { return -a.v[i]; });
}
ELMAN_DEVICE Four mul_add(Four a, Four b, Four c) {
  return each([&](int i) { return elman::mul_add(a.v[i], b.v[i], c.v[i]); });
}
ELMAN_DEVICE Four larger(Four a, Four b) {
  return each([&](int i) { return elman::larger(a.v[i], b.v[i]); });
}
ELMAN_DEVICE Four smaller(Four a, Four b) {
  return each([&](int i) { return elman::smaller(a.v[i], b.v[i]); });
}
ELMAN_DEVICE Four where_positive(Four y, Four d) {
  return each([&](int i) { return elman::where_positive(y.v[i], d.v[i]); });
}

// By the GPU's own 2^x and 1 / x, each to within two last bits.
constexpr float log2_e = 1.4426950408889634f;

ELMAN_DEVICE Four sigmoid(Four x) {
  const Four e = each([&](int i) { return power_of_two(x.v[i] * -log2_e); });
  return each([&](int i) { return reciprocal(1 + e.v[i]); });
}

// Near zero, where 1 - 2 / (1 + exp(2 x)) would lose bits, x + x^3 q(x^2) with the polynomial of least
// maximum error (8.3e-8 of tanh).
ELMAN_DEVICE Four tanh(Four x) {
  const Four e = each([&](int i) { return power_of_two(fabsf(x.v[i]) * (2 * log2_e)); });
  const Four square = x * x, cube = square * x;
  Four q = each([&](int i) { return fmaf(square.v[i], 0.015612471848726273f, -0.0522117093205452f); });
  q = each([&](int i) { return fmaf(square.v[i], q.v[i], 0.13313114643096924f); });
  q = each([&](int i) { return fmaf(square.v[i], q.v[i], -0.33332598209381104f); });
  const Four r = each([&](int i) { return reciprocal(1 + e.v[i]); });
  return each([&](int i) {
    const float far = copysignf(fmaf(-2, r.v[i], 1), x.v[i]);
    return fabsf(x.v[i]) < 0.6f ? fmaf(cube.v[i], q.v[i], x.v[i]) : far;
  });
}

}  // namespace elman::cuda
