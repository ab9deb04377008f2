// A layer's scan as kernels see it: the jobs of one layer and direction, and the table of one cell's kernels.
// Sizes: S slots, G gates, I inputs, H units, L lanes of the set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cells/cell.h"
#include "kernels/plan_view.h"

namespace elman {

class Barrier;

// The part of a layer that one thread computes: some segments of the plan, some groups of units. Threads that
// share segments but part the units meet at the barrier after every step.
struct Piece {
  int segment_begin = 0, segment_stride = 1, segments = 0;
  int group_begin = 0, group_end = 0;
  Barrier* barrier = nullptr;  // null where the piece has all units
  void* scratch = nullptr;     // scratch_bytes(), this thread's own

  int segment(int i) const { return segment_begin + i * segment_stride; }
};

template <class T> struct Weights {  // as in torch: [G * H, I], [G * H, H], [G * H] or null
  int I = 0, H = 0;
  const T *ih = nullptr, *hh = nullptr, *bias_ih = nullptr, *bias_hh = nullptr;
};

template <class T> struct ForwardJob {
  int I = 0, H = 0;
  int t_begin = 0, t_end = INT32_MAX;  // the steps to take; the call before took those before them
  PlanView plan;
  const T* packed = nullptr;  // from CellKernels::pack
  const T* x = nullptr;       // rows of I
  T* y = nullptr;             // rows of H, y_stride apart
  std::ptrdiff_t y_stride = 0;
  const T* initial[max_states] = {};  // [B, H] or null for zeros
  T* final[max_states] = {};          // [B, H]
  T* states[max_states] = {};         // those beyond h, which is y: [total, H] if kept, else [segments, H]
  T* slots = nullptr;                 // [total, S * H] if kept, else [segments * chunk, S * H]
  const T* factors = nullptr;         // [B, H]: of h, where the recurrent product reads it; null for none
  T* masked = nullptr;                // [total, H]: h times its factors, if any
  const T* zeros = nullptr;           // [H]
  bool keep = false;                  // keep what backward needs
  int chunk = 0;                      // steps whose x-part is computed ahead; 0: none
  bool turned = false;                // the first step takes the units from the last to the first
};

template <class T> struct BackwardJob {
  int H = 0;
  int t_begin = 0, t_end = 0;  // the steps to take, the last first; the call before took those after them
  PlanView plan;
  const T* packed = nullptr;  // as ProductKernels::pack lays it
  const T* y = nullptr;
  const T* dy = nullptr;  // like y, or null for zeros
  std::ptrdiff_t y_stride = 0, dy_stride = 0;
  const T* initial[max_states] = {};
  const T* states[max_states] = {};  // those beyond h, which is y: [total, H]
  T* slots = nullptr;                // kept activations in, gradients of the slots out
  const T* dfinal[max_states] = {};  // [B, H] or null for zeros
  T* dinitial[max_states] = {};      // [B, H]
  T* carry[max_states] = {};         // [segments, H]: gradients of the states on their way back
  const T* factors = nullptr;        // as forward had them
  T* through = nullptr;              // [segments, H]: gradients on their way to the factors, if any
  const T* zeros = nullptr;          // [H]
};

template <class T> struct CellKernels {
  std::size_t (*packed_size)(int I, int H);
  void (*pack)(const Weights<T>&, T* out, int group_begin, int group_end);
  void (*forward)(const ForwardJob<T>&, const Piece&);
  void (*backward)(const BackwardJob<T>&, const Piece&);
};

// Pointers to rows, one array per kind, that kernels fill for each step from a thread's scratch.
template <class T> struct RowPointers {
  const T **x, **h_in;           // h_in: h as the recurrent product reads it
  const T** before[max_states];  // the states as the step finds them, and as it leaves them
  T **after[max_states], **slots;
};

// Bytes of Piece::scratch for `rows` rows at a time: a pointer of each kind.
constexpr std::size_t scratch_bytes(std::size_t rows) { return sizeof(RowPointers<float>) * rows; }

}  // namespace elman
