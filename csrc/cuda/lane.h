// What the forward and the backward scan of a thread have in common. A thread has, of its warp's tile, two
// segments, counted by j, and of each two neighbouring units, counted by e.
#pragma once

#include "four.h"
#include "staging.h"

namespace elman::cuda {

// What a plan says of a step, asked for some steps before it is needed.
struct Moment {
  int alive = 0;
  int64_t offset = 0;
};

// Of a lane's four values those of its segment j.
template <class T> ELMAN_DEVICE Pair<T> of_segment(const Four& values, int j) {
  return narrow<T>(values.v[2 * j], values.v[2 * j + 1]);
}

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
        unit_(at.unit),
        // A warp without a tile of its own only shares in the products.
        finishes_(at.split < N && at.unit < job.H),
        segment_{at.segment(at.column(0)), at.segment(at.column(1))} {}

 protected:
  // None before the first step and after the last.
  ELMAN_DEVICE Moment moment(int step) const {
    if (step < 0 || step >= plan_.steps) return {};
    return {plan_.alive[step], plan_.offset[step]};
  }

  // Of each segment the caller's row at that step, -1 where there is none or the lane computes nothing.
  ELMAN_DEVICE void find_rows(int (&to)[2], const Moment& step) const {
    ELMAN_UNROLL
    for (int j = 0; j < 2; ++j)
      to[j] = finishes_ && segment_[j] < step.alive ? plan_.index[step.offset + segment_[j]] : -1;
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
  const bool finishes_;
  const int segment_[2];
};

}  // namespace elman::cuda
