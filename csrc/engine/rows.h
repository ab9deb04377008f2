// Where each packed row finds its input, its states and its tape: shared by the forward and backward scans.
#pragma once

#include "engine/kernels.h"

namespace elman {
namespace {

// The rows of a piece that are alive at step t: [row_begin, end).
ELMAN_INLINE int alive_end(const PlanView& plan, const Piece& piece, int t) {
  const int alive = plan.alive_at(t);
  return alive < piece.row_begin ? piece.row_begin : alive < piece.row_end ? alive : piece.row_end;
}

// The initial state of row r, or zeros.
template <class T>
ELMAN_INLINE const T* initial_row(const PlanView& plan, const T* initial, const T* zeros, int r, int H) {
  const int b = plan.start[r];
  return initial && b >= 0 ? initial + static_cast<std::ptrdiff_t>(b) * H : zeros;
}

template <class T> RowPointers<T> carve(void* scratch, int rows) {
  auto** p = static_cast<const T**>(scratch);
  const auto at = [&](int i) { return p + static_cast<std::ptrdiff_t>(i) * rows; };
  const auto out = [&](int i) { return const_cast<T**>(at(i)); };
  return {at(0), at(1), at(2), out(3), out(4), out(5)};
}

}  // namespace
}  // namespace elman
