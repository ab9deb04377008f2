// A layer's scan as kernels see it: the jobs of one layer and direction, and the table of one cell's kernels.
// Sizes: S slots, G gates, I inputs, H units, L lanes of the set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cells/cell.h"
#include "kernels/plan_view.h"

namespace elman {

class Barrier;

// The part of a layer that one thread computes: some rows of the plan, some of the vectors of units.
// Threads that share rows but part the units meet at the barrier after every step.
struct Piece {
  int row_begin = 0, row_stride = 1, rows = 0;
  int block_begin = 0, block_end = 0;
  Barrier* barrier = nullptr;  // null where the piece has all units
  void* scratch = nullptr;     // scratch_bytes(), this thread's own

  int row(int i) const { return row_begin + i * row_stride; }
};

template <class T> struct Weights {  // as in torch: [G * H, I], [G * H, H], [G * H] or null
  int I = 0, H = 0;
  const T *ih = nullptr, *hh = nullptr, *bias_ih = nullptr, *bias_hh = nullptr;
};

template <class T> struct ForwardJob {
  int I = 0, H = 0;
  int t_begin = 0, t_end = INT32_MAX;  // the steps to take; the call before took those before them
  PlanView plan;
  const T* packed = nullptr;  // from Kernels::pack
  const T* x = nullptr;       // rows of I
  T* y = nullptr;             // rows of H, y_stride apart
  std::ptrdiff_t y_stride = 0;
  const T* initial[max_states] = {};  // [B, H] or null for zeros
  T* final[max_states] = {};          // [B, H]
  T* memory = nullptr;                // the state beyond h: [total, H] if kept, else [rows, H]
  T* slots = nullptr;                 // [total, S * H] if kept, else [rows * chunk, S * H]
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
  const T* packed = nullptr;  // from Kernels::pack_recurrent
  const T* y = nullptr;
  const T* dy = nullptr;  // like y, or null for zeros
  std::ptrdiff_t y_stride = 0, dy_stride = 0;
  const T* initial[max_states] = {};
  const T* memory = nullptr;
  T* slots = nullptr;                // kept activations in, gradients of the slots out
  const T* dfinal[max_states] = {};  // [B, H] or null for zeros
  T* dinitial[max_states] = {};      // [B, H]
  T* carry[max_states] = {};         // [rows, H]: gradients of the states on their way back
  const T* factors = nullptr;        // as forward had them
  T* through = nullptr;              // [rows, H]: gradients on their way to the factors, if any
  const T* zeros = nullptr;          // [H]
};

template <class T> struct Kernels {  // one cell's, forward
  std::size_t (*packed_size)(int I, int H);
  void (*pack)(const Weights<T>&, T* out, int block_begin, int block_end);
  void (*forward)(const ForwardJob<T>&, const Piece&);
};
template <class T> using BackwardKernel = void (*)(const BackwardJob<T>&, const Piece&);

// Pointers to rows, one array per kind, that kernels fill for each step from a thread's scratch.
template <class T> struct RowPointers {
  const T **x, **h, **h_in, **c;  // h_in: h as the recurrent product reads it
  T **y, **c_out, **slots;
};

// Bytes of Piece::scratch for `rows` rows at a time.
constexpr std::size_t scratch_bytes(std::size_t rows) { return 7 * sizeof(void*) * rows; }

}  // namespace elman
