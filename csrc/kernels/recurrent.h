// A layer's scan as kernels see it: the jobs of one layer and direction, and the table of one cell's kernels.
// Sizes: S slots, G gates, I inputs, H units, L lanes of the set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cells/cell.h"
#include "kernels/plan_view.h"
#include "kernels/program.h"

namespace elman {

class Barrier;

// The part of a layer that one thread computes: some segments of the plan, some groups of units. Threads that
// have the same segments but other units meet at the barrier after every step.
struct Piece {
  int segment_begin = 0, segment_stride = 1, segments = 0;
  int group_begin = 0, group_end = 0;
  Barrier* barrier = nullptr;  // null where the piece has all units
  int member = 0;              // which of those who meet there
  void* scratch = nullptr;     // ScanScratch::bytes, this thread's own

  int segment(int i) const { return segment_begin + i * segment_stride; }
};

// As in torch: [x gates * H, I], [h gates * H, H / heads], and the biases, which may be null.
template <class T> struct Weights {
  int I = 0, H = 0;
  const T *ih = nullptr, *hh = nullptr, *bias_ih = nullptr, *bias_hh = nullptr;
  const T* vectors[max_vectors] = {};  // [H] each
  int heads = 1;
};

// The random numbers of a cell that draws: those of an entry follow from the seed and the caller's row alone.
struct Draws {
  bool on = false;  // in training
  uint64_t seed = 0;
};

template <class T> struct ForwardJob {
  int I = 0, H = 0, heads = 1;
  int t_begin = 0, t_end = INT32_MAX;  // the steps to take; the call before took those before them
  int t_first = 0;                     // where the first call of a run began
  PlanView plan;
  const LinkedCell<T>* cell = nullptr;  // null for those that are compiled
  const void* packed = nullptr;  // from CellKernels::pack, or from pack_first if there are plain weights
  const Weights<T>* plain = nullptr;
  const T* x = nullptr;  // rows of I
  T* y = nullptr;        // rows of H, y_stride apart
  std::ptrdiff_t y_stride = 0;
  const T* initial[max_states] = {};  // [B, H] or null for zeros
  T* final[max_states] = {};          // [B, H]
  T* states[max_states] = {};         // those beyond h, which is y: [total, H] if kept, else [segments, H]
  T* slots = nullptr;                 // [total, columns * H] if kept, else [segments * chunk, columns * H]
  T* left = nullptr;                  // [segments, left * H]; if elementwise [segments * chunk, left * H]
  // What the recurrent product of each stage reads: [total, H] if kept, else [2 segments, H], of two steps in
  // turn. For the first stage that is h itself, or h times its factors if there are any.
  T* read[max_stages] = {};
  const T* factors = nullptr;  // [B, H] or null
  const T* zeros = nullptr;    // [H]
  const T* scalars = nullptr;  // [rows, scalars]
  T* statistics = nullptr;     // [total, statistics] if kept
  Draws draws;
  bool keep = false;  // keep what backward needs
  // Steps whose x-part is computed ahead; 0: none, not for compiled cells of several stages. Of an
  // elementwise cell the steps that are taken together.
  int chunk = 0;
  bool turned = false;  // the first step takes the units from the last to the first
};

template <class T> struct BackwardJob {
  int H = 0, heads = 1;
  int t_begin = 0, t_end = 0;  // the steps to take, the last first; the call before took those after them
  PlanView plan;
  const LinkedCell<T>* cell = nullptr;
  // The recurrent weights of each stage, as the products' `pack` lays them, or of several heads as
  // tile/heads.h reads them. Null for cells of one stage and plans of one step: then the gradients of the
  // states before it lack the product with them.
  const T* packed[max_stages] = {};
  const T* vectors = nullptr;     // [vectors, ceil(H / L) * L]
  const T* scalars = nullptr;     // [rows, scalars]
  const T* statistics = nullptr;  // as forward kept them
  Draws draws;                    // as forward had them
  const T* y = nullptr;
  const T* dy = nullptr;  // like y, or null for zeros
  std::ptrdiff_t y_stride = 0, dy_stride = 0;
  const T* initial[max_states] = {};
  const T* states[max_states] = {};  // those beyond h, which is y: [total, H]
  T* slots = nullptr;                // kept activations in, gradients of the slots out
  T* left = nullptr;                 // [segments * chunk, left * H]
  int chunk = 1;                     // steps of an elementwise cell that are taken together
  const T* dfinal[max_states] = {};  // [B, H] or null for zeros
  T* dinitial[max_states] = {};      // [B, H], or null
  T* carry[max_states] = {};         // [segments, H]: gradients of the states on their way back
  T* d_read[max_stages] = {};        // [segments, H]: of what each stage read, if that is not h itself
  T* read[max_stages] = {};          // [total, H]: what later stages read
  // What a chunk, which begins with step `d_begin`, adds to the gradients of the scalars, [entries, scalars,
  // H]; and to those of the vectors, [entries of its first `vector_steps` steps, vectors, H], to which those
  // of the later steps are added in turn.
  T *d_vectors = nullptr, *d_scalars = nullptr;
  int d_begin = 0, vector_steps = 1;
  const T* factors = nullptr;  // as forward had them
  const T* zeros = nullptr;    // [H]
};

// The kernels of one cell, by the parts of isa/ that compile them. Packed weights may be stored in another
// type than the one that sums are in.
template <class T> struct ForwardKernels {
  std::size_t (*packed_bytes)(const LinkedCell<T>*, int I, int H, int heads);
  void (*pack)(const LinkedCell<T>*, const Weights<T>&, void* out, int group_begin, int group_end);
  void (*scan)(const ForwardJob<T>&, const Piece&);
  // Biases and vectors, [ceil(H / L)][slots + vectors][L], and the scan over them and plain weights.
  void (*pack_first)(const LinkedCell<T>*, const Weights<T>&, T* out);
  void (*plain_scan)(const ForwardJob<T>&, const Piece&);
};
template <class T> struct BackwardKernels {
  void (*scan)(const BackwardJob<T>&, const Piece&);
};

// Those of all cells with a program.
template <class T> struct ProgramKernels {
  const ForwardKernels<T>* forward;
  const BackwardKernels<T>* backward;
  // Makes a program ready. `code`: room for all its instructions.
  void (*link)(const ProgramCell&, Linked<T>* code, LinkedCell<T>*);
};

template <class T> struct CellKernels {
  const ForwardKernels<T>* forward_kernels;
  const BackwardKernels<T>* backward_kernels;
  const LinkedCell<T>* cell = nullptr;  // of one that is known only at run time; it outlives all who use it

  std::size_t packed_bytes(int I, int H, int heads) const {
    return forward_kernels->packed_bytes(cell, I, H, heads);
  }
  void pack(const Weights<T>& weights, void* out, int group_begin, int group_end) const {
    forward_kernels->pack(cell, weights, out, group_begin, group_end);
  }
  void forward(const ForwardJob<T>& job, const Piece& piece) const {
    (job.plain ? forward_kernels->plain_scan : forward_kernels->scan)(job, piece);
  }
  void pack_first(const Weights<T>& weights, T* out) const {
    forward_kernels->pack_first(cell, weights, out);
  }
  void backward(const BackwardJob<T>& job, const Piece& piece) const { backward_kernels->scan(job, piece); }
};

// A cell as its users hold it: its facts and its kernels together.
struct CellRef {
  const CellFacts* facts = nullptr;
  CellKernels<float> f32;
  CellKernels<double> f64;
};

// Pointers to rows, one array of each kind. They lie in a thread's scratch, and kernels fill them for each
// step.
template <class T> struct RowPointers {
  const T** x;
  T** slots;
  T** read[max_stages];  // what the recurrent product of each stage reads; a way back has those of later
                         // stages
  const T** before[max_states];  // the states as the step finds them, and as it leaves them
  T** after[max_states];
  // Of a cell with a program:
  const T **scalars, **dy;
  uint64_t* keys;              // of its random numbers
  T** d[max_states];           // the gradients of the states
  T** passed[max_stages];      // and of what later stages read
  T **d_vectors, **d_scalars;  // to which a step adds, and where it stores what it adds
  T** left;                    // what a program leaves for later ones of the step
  T* statistics;               // of each row, those of the step so far
};

// The size of Piece::scratch: the registers of a program, then the pointers and the statistics of `rows` rows
// at a time.
struct ScanScratch {
  std::size_t frame, row;

  template <class T> static ScanScratch of(const CellFacts& facts, const LinkedCell<T>* cell) {
    const int stages = facts.stage_count(), states = facts.state_count();
    const int kinds = 2 + stages + 2 * states + (cell ? 6 + stages + states : 0);
    const std::size_t statistics = cell ? cell->statistics * sizeof(T) : 0;
    return {cell ? cell->frame_bytes : 0, kinds * sizeof(T*) + statistics};
  }
  std::size_t bytes(std::size_t rows) const { return frame + row * rows; }
};

}  // namespace elman
