// Rough costs on one core. They only rank ways to do the same thing.
#pragma once

namespace elman {

// Vectors of weights multiplied per nanosecond.
constexpr double multiplies_per_ns = 7;
constexpr double barrier_ns = 300;

// Calling the workers: awake they begin within a microsecond, asleep they must be woken.
constexpr double dispatch_ns(bool warm) { return warm ? 600 : 150000; }

// Reading `bytes` of weights `times` times: first from where they are, into the L2 cache if they fit.
double stream_ns(double bytes, double times);

}  // namespace elman
