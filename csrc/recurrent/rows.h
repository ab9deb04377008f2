// Where each entry finds its input, its states and its tape: shared by the forward and backward scans.
#pragma once

#include "kernels/recurrent.h"
#include "simd/vec.h"

namespace elman {
namespace {

// How many of a piece's segments are alive at step t; they are its first ones.
ELMAN_INLINE int alive_segments(const PlanView& plan, const Piece& piece, int t) {
  const int below = plan.alive_at(t) - piece.segment_begin + piece.segment_stride - 1;
  const int count = below < piece.segment_stride ? 0 : below / piece.segment_stride;
  return count < piece.segments ? count : piece.segments;
}

// The initial state of a segment, or zeros.
template <class T>
ELMAN_INLINE const T* initial_row(const PlanView& plan, const T* initial, const T* zeros, int segment,
                                  int H) {
  const int b = plan.start[segment];
  return initial && b >= 0 ? initial + static_cast<std::ptrdiff_t>(b) * H : zeros;
}

// The factors of h that a segment shares with all others of its sequence.
template <class T>
ELMAN_INLINE const T* factors_row(const PlanView& plan, const T* factors, int segment, int H) {
  return factors + std::ptrdiff_t{plan.sequence[segment]} * H;
}

// A thread's scratch as pointers to `rows` rows of each kind.
template <class T> RowPointers<T> carve(void* scratch, int rows, int states) {
  const T** next = static_cast<const T**>(scratch);
  const auto in = [&] {
    const T** begin = next;
    next += rows;
    return begin;
  };
  const auto out = [&] { return const_cast<T**>(in()); };
  RowPointers<T> p{};
  p.x = in();
  p.h_in = in();
  p.slots = out();
  for (int k = 0; k < states; ++k) {
    p.before[k] = in();
    p.after[k] = out();
  }
  return p;
}

}  // namespace
}  // namespace elman
