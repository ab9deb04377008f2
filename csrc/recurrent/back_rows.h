// What the scan on the way back and its cell have in common: where the rows of a step lie, and the products
// of the slots' gradients with the recurrent weights.
#pragma once

#include "recurrent/rows.h"
#include "tile/heads.h"
#include "tile/product.h"

namespace elman {
namespace {

template <class T, int L, int Registers> class BackRows {
 public:
  BackRows(const BackwardJob<T>& job_, const Piece& piece_, int columns_, int states, int stages)
      : job(job_),
        piece(piece_),
        plan(job_.plan),
        columns(columns_),
        rows(carve<T>(piece_.scratch, piece_.segments * job_.chunk, job_.cell, states, stages)),
        unit_begin(piece_.group_begin * L),
        unit_end(piece_.group_end * L < job_.H ? piece_.group_end * L : job_.H) {}

  int alive(int t) const { return alive_segments(plan, piece, t); }
  std::ptrdiff_t entry(int t, int s) const { return static_cast<std::ptrdiff_t>(plan.offset[t]) + s; }
  T* d_read_row(int stage, int s) const { return job.d_read[stage] + std::ptrdiff_t{s} * job.H; }
  T* carry_row(int k, int s) const { return job.carry[k] + std::ptrdiff_t{s} * job.H; }
  T* slots_row(int t, int s) const { return job.slots + entry(t, s) * columns * job.H; }
  const T* dy_row(int t, int s) const {
    return job.dy ? job.dy + std::ptrdiff_t{plan.index[entry(t, s)]} * job.dy_stride : job.zeros;
  }

  // to (+)= the slot gradients of step t that the product of a stage feeds, times that stage's weights.
  template <class To>
  void through_weights(const Feed& feed, const T* packed, int t, int count, bool add,
                       const To& to_row) const {
    const int H = job.H;
    const T** const from = rows.x;
    T** const to = rows.slots;
    for (int i = 0; i < count; ++i) {
      const int s = piece.segment(i);
      from[i] = slots_row(t, s) + std::ptrdiff_t{feed.begin} * H;
      to[i] = to_row(s);
    }
    if (job.heads > 1)
      return multiply_heads<T, L, Registers>(from, to, count, {H, H / job.heads, L}, feed.count(), packed,
                                             piece.group_begin, piece.group_end, add);
    multiply_rows<T, L, Registers>(from, to, count, feed.count() * H, packed, H, piece.group_begin,
                                   piece.group_end, add);
  }

  const BackwardJob<T>& job;
  const Piece& piece;
  const PlanView& plan;
  const int columns;
  const RowPointers<T> rows;
  const int unit_begin, unit_end;
};

}  // namespace
}  // namespace elman
