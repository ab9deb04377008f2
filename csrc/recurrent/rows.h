// Where each packed row finds its input, its states and its tape: shared by the forward and backward scans.
#pragma once

#include "kernels/recurrent.h"
#include "simd/vec.h"

namespace elman {
namespace {

// How many of a piece's rows are alive at step t; they are its first ones.
ELMAN_INLINE int alive_rows(const PlanView& plan, const Piece& piece, int t) {
  const int below = plan.alive_at(t) - piece.row_begin + piece.row_stride - 1;
  const int count = below < piece.row_stride ? 0 : below / piece.row_stride;
  return count < piece.rows ? count : piece.rows;
}

// The initial state of row r, or zeros.
template <class T>
ELMAN_INLINE const T* initial_row(const PlanView& plan, const T* initial, const T* zeros, int r, int H) {
  const int b = plan.start[r];
  return initial && b >= 0 ? initial + static_cast<std::ptrdiff_t>(b) * H : zeros;
}

// The factors of h that row r shares with all rows of its sequence.
template <class T> ELMAN_INLINE const T* factors_row(const PlanView& plan, const T* factors, int r, int H) {
  return factors + std::ptrdiff_t{plan.sequence[r]} * H;
}

template <class T> RowPointers<T> carve(void* scratch, int rows) {
  auto** p = static_cast<const T**>(scratch);
  const auto at = [&](int i) { return p + static_cast<std::ptrdiff_t>(i) * rows; };
  const auto out = [&](int i) { return const_cast<T**>(at(i)); };
  return {at(0), at(1), at(2), at(3), out(4), out(5), out(6)};
}

}  // namespace
}  // namespace elman
