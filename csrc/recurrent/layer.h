// One layer call, in one or two directions: from plans, packed weights and arrays to finished results.
// This is where schedules become pieces and threads; the caller (bind/) has checked every shape.
#pragma once

#include <memory>
#include <vector>

#include "kernels/dispatch.h"
#include "machine/buffer.h"
#include "recurrent/plan.h"
#include "recurrent/schedule.h"

namespace elman {

// The weights of one layer and direction in the layout of one instruction set.
template <class T> struct Packed {
  Packed(const Isa& isa, const CellRef& cell, const Weights<T>& weights);

  const Isa& isa;
  const CellRef& cell;
  const int I, H;
  Buffer<char> data;

  const CellFacts& info() const { return *cell.facts; }
  const CellKernels<T>& kernels() const { return cell_kernels<T>(cell); }
};

// Where the forward pass of one layer and direction leaves what the backward pass needs: the caller's memory,
// in a layout that no instruction set changes.
template <class T> struct Tape {
  T* slots = nullptr;          // [plan.total, slots, H]; null: keep nothing
  T* states[max_states] = {};  // [plan.total, H], those beyond h
  // Recurrent dropout, both or neither: factors [B, H], written by the caller, and [plan.total, H] for h
  // times its sequence's factors, as the recurrent product of each row reads it.
  const T* factors = nullptr;
  T* masked = nullptr;
};

template <class T> struct ForwardCall {
  const Packed<T>* packed;
  const Plan* plan;
  ForwardJob<T> job;  // the caller sets x, y, y_stride, initial, final
  Tape<T> tape;
};

// y is [T * B] rows, y_stride apart; direction d writes columns d * H and on.
template <class T> void run_forward(std::vector<ForwardCall<T>>& calls);

// The same weights as the backward pass reads them.
template <class T> struct PackedBack {
  PackedBack(const Isa& isa, const CellRef& cell, const Weights<T>& weights);

  const Isa& isa;
  const CellRef& cell;
  const int I, H;
  Buffer<T> ih, hh;
};

template <class T> struct BackwardCall {
  const PackedBack<T>* packed;
  const Plan* plan;
  BackwardJob<T> job;  // the caller sets y, dy, strides, initial, dfinal, dinitial
  Tape<T> tape;
  const T* x;
  // Gradients that are added to, shaped like the weights; biases may be null.
  T *d_ih, *d_hh, *d_bias_ih, *d_bias_hh;
};

// Writes dx ([plan.rows] of I), the sum over directions, unless it is null. The tapes are used up.
template <class T> void run_backward(std::vector<BackwardCall<T>>& calls, T* dx);

}  // namespace elman
