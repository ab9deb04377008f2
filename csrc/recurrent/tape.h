// The tape: what a forward pass keeps for its backward pass. It is one array, and only this file knows where
// in it a part lies. No instruction set changes that.
#pragma once

#include <cstdint>
#include <vector>

#include "cells/cell.h"
#include "recurrent/checkpoints.h"

namespace elman {

// Where each part of a tape begins, counted in numbers from its start. Each begins on a cache line.
class TapeLayout {
 public:
  // `entries`: those of each direction's plan; `rows`: those of the caller's arrays; `masked`: with recurrent
  // dropout. Not `whole`: of the entries there are the states beyond h alone. Throws std::bad_alloc where no
  // memory could hold so many.
  TapeLayout(const CellFacts& cell, int H, int L, const std::vector<int64_t>& entries, int64_t rows,
             bool masked, bool whole = true);

  int64_t size() const { return layer_ * L_; }

  // Where the parts of a layer and direction begin. slots: [entries, columns, H], first pre-activations, then
  // what backward needs, then gradients, one column for each slot first. state: [entries, H], state k, for k
  // of 1 and more. read: [entries, H], what the product of each stage reads; for the first stage only if that
  // is h times its factors.
  int64_t slots(int layer, int direction) const { return layer_ * layer + directions_[direction].slots; }
  int64_t state(int layer, int direction, int k) const {
    const Direction& d = directions_[direction];
    return layer_ * layer + d.states + (k - 1) * d.state;
  }
  int64_t read(int layer, int direction, int stage) const {
    return state(layer, direction, states_ + reads_[stage]);
  }
  // [entries, statistics].
  int64_t statistics(int layer, int direction) const {
    return layer_ * layer + directions_[direction].statistics;
  }
  // Of a layer: [rows, D * H] its results.
  int64_t y(int layer) const { return layer_ * layer + y_; }

  // The numbers of an entry.
  int64_t entry_slots() const { return columns_ * H_; }
  int64_t entry_state() const { return H_; }
  int64_t entry_statistics() const { return entry_statistics_; }

  // A tape of H units, `entries` in each direction and `rows` holds at most
  // H * (entry * entries + row * rows) + number * entries + rest numbers.
  struct Room {
    int64_t entry, row, number, rest;
  };
  static Room room(const CellFacts& cell, int L, int D, bool masked);

 private:
  struct Direction {
    int64_t slots, states, state, statistics;  // where they begin; `state`: the numbers of one state
  };
  std::vector<Direction> directions_;
  int64_t layer_ = 0, y_ = 0;  // the numbers of a layer; where its results begin
  int64_t columns_, H_, entry_statistics_;
  int L_, states_;
  int reads_[max_stages];  // where what a stage reads comes behind the states
};

// The tape of a pass: its layout, and the memory that it lies in.
template <class T> struct Tape {
  const TapeLayout* layout = nullptr;  // null: nothing is kept
  T* memory = nullptr;
  const T* factors = nullptr;  // recurrent dropout, [L * D, B, H]: of h where the recurrent product reads it

  const Checkpoints* checkpoints = nullptr;  // not null: in the place of its steps
  std::vector<int64_t> first;                // of each direction: the entry that lies first; none: entry 0

  explicit operator bool() const { return layout != nullptr; }
  // Where entry 0 lies, or would lie before the first one.
  T* slots(int layer, int d) const {
    return memory + layout->slots(layer, d) - before(d) * layout->entry_slots();
  }
  T* state(int layer, int d, int k) const {
    return memory + layout->state(layer, d, k) - before(d) * layout->entry_state();
  }
  T* read(int layer, int d, int stage) const {
    return memory + layout->read(layer, d, stage) - before(d) * layout->entry_state();
  }
  T* statistics(int layer, int d) const {
    return memory + layout->statistics(layer, d) - before(d) * layout->entry_statistics();
  }
  T* y(int layer) const { return memory + layout->y(layer); }

 private:
  int64_t before(int d) const { return first.empty() ? 0 : first[d]; }
};

}  // namespace elman
