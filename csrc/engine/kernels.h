// What crosses between the common code and the objects compiled per instruction set: plain structs of
// pointers and tables of functions. Sizes: S slots, G gates, I inputs, H units, L lanes of the set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cells/cell.h"
#include "engine/plan.h"

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

// For both sides: C(m, :) += sum over n of a(n, m) b(n, :), for the columns m of `a` that the side feeds.
// The columns [0, side[1].begin) have x alone, [side[0].end, M) h alone, those between them both.
template <class T> struct OuterJob {
  struct Side {
    int begin = 0, end = 0;       // columns of a
    int N = 0;                    // I or H
    const T* const* b = nullptr;  // [rows] rows of N
    T* const* c = nullptr;        // [end - begin] rows of N
  };
  int rows = 0;  // n
  int M = 0;     // columns of a
  const T* a = nullptr;
  std::ptrdiff_t a_stride = 0;
  Side side[2];       // x and h
  T* bias = nullptr;  // [M] += the sums of a's columns
};

template <class T> struct Kernels {  // one cell
  std::size_t (*packed_size)(int I, int H);
  void (*pack)(const Weights<T>&, T* out, int block_begin, int block_end);
  void (*forward)(const ForwardJob<T>&, const Piece&);
  void (*backward)(const BackwardJob<T>&, const Piece&);
};

template <class T> struct Products {  // shared by all cells
  int lanes, tile_rows;
  // [ceil(N / L)][K][L] from K rows of N.
  void (*pack)(const T* const* rows, int K, int N, T* out, int block_begin, int block_end);
  // The same from its transpose, N rows of K that lie `stride` apart.
  void (*pack_transposed)(const T* matrix, std::ptrdiff_t stride, int K, int N, T* out, int block_begin,
                          int block_end);
  // out[r] (+)= in[r] (of K) times the packed matrix.
  void (*rows)(const T* const* in, T* const* out, int count, int K, const T* packed, int N, bool add);
  std::size_t (*outer_scratch)(int M, int I, int H);
  void (*outer)(const OuterJob<T>&, int part, int parts, T* scratch);
  // What the machine's limits are measured with: multiply-adds on registers, and loads.
  double (*spin)(int64_t rounds);
  T (*read)(const T* p, std::ptrdiff_t count, int64_t rounds);
};

// Of one row x: its largest value, and the sums of exp(x - largest) and of x - largest.
template <class T> struct RowSums {
  T largest, exponentials, values;
};

template <class T> struct Rows {  // functions of single rows
  // p = scale * softmax(x) + shift, over n > 0 values; p may be null.
  RowSums<T> (*softmax)(const T* x, int n, T scale, T shift, T* p);
  // The way back through p = softmax(x): dx = scale * p (dp - sum of p dp); dx may be dp.
  void (*softmax_backward)(const T* p, const T* dp, int n, T scale, T* dx);
};

// What an optimiser does to an element p with gradient g: it takes the gradient as scale g + decay p. In the
// equations of train/update.h the names are those of the fields.
template <class T> struct Rule {
  T rate, scale, decay;
};
template <class T> struct Sgd : Rule<T> {
  static constexpr int least_states = 0, most_states = 1;  // the mean of gradients, with momentum
  T momentum;
  bool nesterov;
};
template <class T> struct RmsProp : Rule<T> {
  static constexpr int least_states = 1, most_states = 2;  // the mean square; that of steps, with momentum
  T keep, add, epsilon, momentum;
};
template <class T> struct Adam : Rule<T> {
  static constexpr int least_states = 2, most_states = 2;  // the first and the second moment
  T shrink, keep_first, add_first, keep_second, add_second, epsilon;
};
constexpr int max_rule_states = 2;

template <class T> struct Slice {  // parameters that lie together, and what belongs to them
  T* value = nullptr;
  const T* grad = nullptr;
  T* state[max_rule_states] = {};  // null where the rule has none
  int64_t count = 0;
};

template <class T> struct Updates {  // the optimisers, over short slices
  void (*sgd)(const Sgd<T>&, const Slice<T>&);
  void (*rmsprop)(const RmsProp<T>&, const Slice<T>&);
  void (*adam)(const Adam<T>&, const Slice<T>&);
  double (*sum_of_squares)(const T* x, int n);
};

struct LogRows {  // functions of rows of n log-probabilities, for which -1e300 stands in place of -infinity
  // to = log(exp(a) + exp(b) + exp(c + d)); where a is NaN, so is the sum.
  void (*sum)(const double* a, const double* b, const double* c, const double* d, int n, double* to);
  // to = exp(a + b + shift)
  void (*exp)(const double* a, const double* b, double shift, int n, double* to);
};

struct CellInfo {
  const char* name;
  int slots, states, gates;
  Feed x, h;
};

constexpr int cell_count = 4;

struct Isa {
  const char* name;
  const CellInfo* cells;  // [cell_count], like the kernels
  const Kernels<float>* f32;
  const Kernels<double>* f64;
  Products<float> products_f32;
  Products<double> products_f64;
  Rows<float> rows_f32;
  Rows<double> rows_f64;
  Updates<float> updates_f32;
  Updates<double> updates_f64;
  LogRows log_rows;
  uint64_t (*fingerprint)(const char* p, int64_t bytes);
};

// Pointers to rows, one array per kind, that kernels fill for each step from a thread's scratch.
template <class T> struct RowPointers {
  const T **x, **h, **h_in, **c;  // h_in: h as the recurrent product reads it
  T **y, **c_out, **slots;
};

// Bytes of Piece::scratch for `rows` rows at a time.
constexpr std::size_t scratch_bytes(std::size_t rows) { return 7 * sizeof(void*) * rows; }

}  // namespace elman
