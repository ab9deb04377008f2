// What a kernel is told: plain structs that are passed by value, all pointers to device memory.
//
// Rows are rows of the caller's arrays, T * B or what a PackedSequence holds, everywhere: the plan's index
// leads there, and the products around the scan (x W_ih, the weights' gradients) see whole matrices in that
// order.
#pragma once

#include <cstddef>

#include "cells/cell.h"
#include "kernels/plan_view.h"

namespace elman::cuda {

constexpr int group = 16;  // units whose gates a warp computes together: the rows of a tensor core's tile
constexpr int tile_rows = 8;
// Of a block: 255 registers for each, half of them for weights that stay there.
constexpr int most_threads = 256;

// The tiles of one element type: terms of a sum in a tile, the pairs of a tile of weights and of inputs.
struct Tile {
  int k, weight_pairs, input_pairs, element_bytes;
  bool tensor_cores;
  int set;  // of outputs, which a warp computes together where sums are passed on

  // Of how many tiles of k a warp has the weights, all M gates of them, in registers, if it computes N tiles
  // of rows: as many as leave no kernel short of registers. (By multiply-adds a tile of 4 would take as many
  // as one of 16 on the tensor cores.)
  constexpr int held(int M, int N) const {
    if (!tensor_cores) return 0;
    return N == 1 ? (M == 1 ? 28 : 32 / M) : (N == 2 ? 24 : 12) / M;
  }
  // The same where sums are passed on: of a set.
  constexpr int held_of_sets(int N) const { return !tensor_cores ? 0 : N == 1 ? 5 : 2; }
};
constexpr Tile tile_f32{4, 32, 16, 4, false, 2}, tile_tf32{8, 64, 32, 4, true, 4},
    tile_16{16, 128, 64, 2, true, 4};

// How a layer is divided. A team of blocks computes some rows of the plan; each of its blocks (its rank) some
// units.
struct Layout {
  int units = group;    // of a block, whole groups
  int ranks = 1;        // blocks of a team
  int teams = 1;        // of a direction; row r of the plan is team r % teams's
  int splits = 1;       // warps that share the sum over k of a group, at least as many as tiles of rows
  int chunk = 1;        // tiles of k in shared memory at a time; all of them where blocks stay for all steps
  bool pushed = false;  // a cluster's inboxes count what arrives, instead of all blocks meeting at each step
  int threads() const { return units / group * splits * 32; }
};

// How a block divides the product whose sums it passes on: all of the layer's units in sets of tiles, its own
// gates among as many warps as are left for each set.
struct Sets {
  int count, splits;
  constexpr Sets(const Layout& l, int H, int set)
      : count((H + group * set - 1) / (group * set)),
        splits(l.units / group * l.splits > count ? l.units / group * l.splits / count : 1) {}
};

// Bytes that a block needs: of weights, of an inbox of inputs, of sums that its warps share, and of what
// comes to it in a step.
struct Memory {
  std::size_t weights, inbox, partial, arriving;
};
constexpr std::size_t tile_of_sums = 16 * 8 * sizeof(float);

// If it has its units of all sums (gather.h), of M gates, for N tiles of rows.
constexpr Memory gather_memory(const Tile& tile, const Layout& l, int M, int N) {
  const std::size_t pair = 2 * tile.element_bytes, groups = l.units / group;
  const std::size_t inbox = pair * l.chunk * N * tile.input_pairs;
  return {pair * groups * l.chunk * M * tile.weight_pairs, inbox,
          l.splits == 1 ? 0 : l.splits * groups * N * M * tile_of_sums, inbox};
}

// If it has all sums of its units (scatter.h), of so many gates each.
constexpr Memory scatter_memory(const Tile& tile, const Layout& l, int gates, int H, int N) {
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
  T* slots = nullptr;                // what forward kept in, gradients of the slots out
  const float* states[max_states] = {};
  float* carry = nullptr;
};

template <class Side> struct Job {
  Layout layout;
  int H = 0;
  bool paired = false;         // see Access
  int64_t y_stride = 0;        // of y and dy
  int t_begin = 0, t_end = 0;  // the steps to take; backward takes -1 last, where the initial states are
  uint64_t* words = nullptr;   // [Schedule::words], zero: for what is passed on in global memory
  Side side[2];
};

}  // namespace elman::cuda
