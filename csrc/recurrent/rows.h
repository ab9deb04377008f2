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

// The scalars of an entry.
template <class Job> ELMAN_INLINE auto* scalars_row(const Job& job, std::ptrdiff_t entry) {
  return job.scalars + std::ptrdiff_t{job.plan.index[entry]} * job.cell->facts.scalar_count();
}

// A number that is unlike those of other numbers (splitmix64).
ELMAN_INLINE uint64_t mixed(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// What the random numbers of an entry begin with.
template <class Job> ELMAN_INLINE uint64_t row_key(const Job& job, std::ptrdiff_t entry) {
  return mixed(job.draws.seed ^ mixed(uint64_t(job.plan.index[entry])));
}

// Where a segment left its state k at step t, of a job whose tape is kept.
template <class Job> ELMAN_INLINE auto* state_after(const Job& job, int k, int t, int segment) {
  const auto entry = static_cast<std::ptrdiff_t>(job.plan.offset[t]) + segment;
  return k ? job.states[k] + entry * job.H : job.y + std::ptrdiff_t{job.plan.index[entry]} * job.y_stride;
}

// Where the segment found its state k before step t.
template <class Job> ELMAN_INLINE auto* state_before(const Job& job, int k, int t, int segment) {
  return t ? state_after(job, k, t - 1, segment)
           : initial_row(job.plan, job.initial[k], job.zeros, segment, job.H);
}

// The gradient of the final state k of a segment.
template <class T> ELMAN_INLINE const T* final_gradient(const BackwardJob<T>& job, int k, int segment) {
  const int b = job.plan.finish[segment];
  return b >= 0 && job.dfinal[k] ? job.dfinal[k] + std::ptrdiff_t{b} * job.H : job.zeros;
}

// A thread's scratch as pointers to `rows` rows of each kind.
template <class T>
RowPointers<T> carve(void* scratch, int rows, const LinkedCell<T>* cell, int states, int stages) {
  const T** next = reinterpret_cast<const T**>(static_cast<char*>(scratch) + (cell ? cell->frame_bytes : 0));
  const auto in = [&] {
    const T** begin = next;
    next += rows;
    return begin;
  };
  const auto out = [&] { return const_cast<T**>(in()); };
  RowPointers<T> p{};
  p.x = in();
  p.slots = out();
  for (int j = 0; j < stages; ++j) {
    p.read[j] = out();
    if (cell) p.passed[j] = out();
  }
  for (int k = 0; k < states; ++k) {
    p.before[k] = in();
    p.after[k] = out();
    if (cell) p.d[k] = out();
  }
  if (!cell) return p;
  p.scalars = in();
  p.dy = in();
  p.keys = reinterpret_cast<uint64_t*>(out());
  p.d_vectors = out();
  p.d_scalars = out();
  p.left = out();
  p.statistics = reinterpret_cast<T*>(next);
  return p;
}

}  // namespace
}  // namespace elman
