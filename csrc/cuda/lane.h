// What the forward and the backward scan of a thread have in common. A thread has, of its warp's tile, two
// segments, counted by j, and of each two neighbouring units, counted by e.
#pragma once

#include "staging.h"

namespace elman::cuda {

// N tiles of segments.
template <class T, class Side, int N> class Lane {
 public:
  ELMAN_DEVICE Lane(const Job<Side>& job, const Place& at)
      : job_(job),
        side_(job.side[at.direction]),
        plan_(side_.plan),
        at_(at),
        rows_{job.H, job.paired},
        H_(job.H),
        unit_(at.unit) {}

 protected:
  ELMAN_DEVICE int segment(int j) const { return at_.segment(at_.column(j)); }
  // Whether its warp finishes a tile. The others only share in the products.
  ELMAN_DEVICE bool finishes() const { return at_.split < N; }

  // Of each segment the caller's row at a step of this launch or before, -1 where there is none.
  ELMAN_DEVICE void find_rows(int (&to)[2], int step) const {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j) {
      const bool there = step >= 0 && step < job_.t_end && finishes() && segment(j) < alive_at(plan_, step);
      to[j] = there ? plan_.index[plan_.offset[step] + segment(j)] : -1;
    }
  }

  // Its units in a row of H values, or in the state of sequence b: zeros where there is none.
  template <class V> ELMAN_DEVICE Pair<V> load(const V* row) const { return rows_.load(row, unit_); }
  ELMAN_DEVICE Pair<T> of_sequence(const T* states, int b) const {
    return b >= 0 && states ? load(states + int64_t{b} * H_) : Pair<T>{};
  }
  template <class V> ELMAN_DEVICE void store(V* row, Pair<V> value) const { rows_.store(row, unit_, value); }

  // Where state k of a segment, or its gradient, lies between two launches.
  ELMAN_DEVICE float* carried(int k, int segment) const {
    return side_.carry + (int64_t{k} * plan_.segments + segment) * H_;
  }

  const Job<Side>& job_;
  const Side& side_;
  const PlanView& plan_;
  const Place& at_;
  const Access rows_;
  const int H_, unit_;
};

}  // namespace elman::cuda
