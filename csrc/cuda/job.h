// What a kernel is told: plain structs that are passed by value, all pointers to device memory.
//
// The words of csrc/cuda, beside those of docs/design.md:
//   row       of the caller's arrays, of T * B or of what a PackedSequence holds, in the caller's order, in
//             which the products around the scan (x W_ih, the weights' gradients) see whole matrices
//   block     a thread block; never anything else
//   team      the blocks that compute the same segments; rank: a block's number in its team
//   group     16 units, all of whose gates one warp computes
//   tile      what one instruction of the tensor cores multiplies: of weights 16 units by k, of inputs k by
//             8 segments; column: a segment's place in its team's tiles, 8 of them in each
//   split     one of the warps that share the sum over k of a group
//   staged    in shared memory, to be multiplied; held: in registers, for all steps
//   inbox     the staged inputs of a step; pass on: to bring a value to the inboxes that need it
//   word      of global memory: 4 bytes that are passed on, and the number of their step
//   layout    how a layer is divided among blocks and warps
//   schedule  a layout, and through what memory blocks pass on
//   side      one direction of a layer: its arrays; job: what one launch is told, of one or two sides
//   lane      a thread, by its number in its warp
// Global, shared: the hardware's kinds of memory.
#pragma once

#include <cstddef>

#include "cells/cell.h"
#include "kernels/plan_view.h"

namespace elman::cuda {

constexpr int group = 16;  // units whose gates a warp computes: the rows of a tile of weights
constexpr int tile_segments = 8;
// Of a block. Each can have 255 registers then, half of them for weights.
constexpr int most_threads = 256;

// The tiles of one element type: how many terms of a sum, how many pairs of weights and of inputs.
struct Tile {
  int k, weight_pairs, input_pairs, element_bytes;
  bool tensor_cores;
  int set;  // tiles of outputs that a warp computes together where sums are passed on

  // Of how many tiles of k a warp holds the weights of M gates, if it computes N tiles of segments: as many
  // as leave registers to compute four cells side by side. (Without tensor cores a tile of 4 terms would take
  // as many as one of 16 with them: none then.)
  constexpr int held(int M, int N) const {
    if (!tensor_cores) return 0;
    return (N == 1 ? 16 : N == 2 ? 12 : 4) / M;
  }
  // The same of a set, where sums are passed on.
  constexpr int held_of_sets(int N) const { return !tensor_cores ? 0 : N == 1 ? 3 : 1; }
};
constexpr Tile tile_f32{4, 32, 16, 4, false, 2}, tile_tf32{8, 64, 32, 4, true, 4},
    tile_16{16, 128, 64, 2, true, 4};

struct Layout {
  int units = group;  // of a block, whole groups
  int ranks = 1;      // blocks of a team
  int teams = 1;      // of a direction; segment s is team s % teams's
  int splits = 1;     // of a group, at least as many as tiles of segments
  int staged = 1;     // tiles of k at a time; all of them where blocks stay for all steps
  int threads() const { return units / group * splits * 32; }
};

// How a block divides the product whose sums it passes on: all of the layer's units into sets of tiles, the
// sum over its own gates among the warps that are left for each set.
struct Sets {
  int count, splits;
  constexpr Sets(const Layout& l, int H, int set)
      : count((H + group * set - 1) / (group * set)),
        splits(l.units / group * l.splits > count ? l.units / group * l.splits / count : 1) {}
};

// Bytes that a block needs: for weights, for an inbox, for the sums that splits share, and for what comes to
// it in a step.
struct Space {
  std::size_t weights, inbox, partial, arriving;
};
constexpr std::size_t tile_of_sums = 16 * 8 * sizeof(float);

// If it gathers (gather.h) for M gates and N tiles of segments.
constexpr Space gather_space(const Tile& tile, const Layout& l, int M, int N) {
  const std::size_t pair = 2 * tile.element_bytes, groups = l.units / group;
  const std::size_t inbox = pair * l.staged * N * tile.input_pairs;
  return {pair * groups * l.staged * M * tile.weight_pairs, inbox,
          l.splits == 1 ? 0 : l.splits * groups * N * M * tile_of_sums, inbox};
}

// If it scatters (scatter.h).
constexpr Space scatter_space(const Tile& tile, const Layout& l, int gates, int H, int N) {
  const Sets sets(l, H, tile.set);
  const std::size_t pair = 2 * tile.element_bytes, groups = l.units / group, tiles = gates * l.units / tile.k;
  return {pair * sets.count * tiles * tile.set * tile.weight_pairs, pair * tiles * N * tile.input_pairs,
          l.splits == 1 ? 0 : l.splits * groups * N * tile_of_sums,
          l.ranks * sets.splits * groups * N * tile_of_sums};
}

template <class T> struct ForwardSide {  // one direction
  PlanView plan;
  const T* products = nullptr;        // [rows, gates * H]: W_ih x + bias_ih
  const T* weight = nullptr;          // [gates * H, H]: W_hh
  const T* bias = nullptr;            // [gates * H]: bias_hh, or null
  T* y = nullptr;                     // [rows] of H, y_stride apart
  const T* initial[max_states] = {};  // [B, H], or null for zeros
  T* final[max_states] = {};          // [B, H]
  T* slots = nullptr;                 // [rows, slots * H], or null: keep nothing for backward
  float* states[max_states] = {};     // [rows, H], kept likewise; none for h, which is y
  float* carry = nullptr;             // [states, plan.segments, H]: from launch to launch
};

template <class T> struct BackwardSide {
  PlanView plan;
  const T* weight = nullptr;
  const T* y = nullptr;
  const T* dy = nullptr;  // like y, or null for zeros
  const T* initial[max_states] = {};
  const T* dfinal[max_states] = {};  // [B, H], or null for zeros
  T* dinitial[max_states] = {};      // [B, H]
  T* slots = nullptr;                // in: what forward kept, out: the slots' gradients
  const float* states[max_states] = {};
  float* carry = nullptr;
};

template <class Side> struct Job {
  Layout layout;
  int H = 0;
  bool paired = false;         // see Access
  int64_t y_stride = 0;        // from row to row of y and dy
  int t_begin = 0, t_end = 0;  // the steps to take; backward takes -1 last, where the initial states are
  uint64_t* words = nullptr;   // [Schedule::words], zero
  Side side[2];
};

}  // namespace elman::cuda
