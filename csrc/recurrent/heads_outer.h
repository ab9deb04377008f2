// The gradients of recurrent weights of several heads (kernels/heads.h).
#pragma once

#include <vector>

#include "kernels/products.h"

namespace elman {

// Each is a sum of its own: of one slot's units of one head, times the same units of the rows that they read.
template <class T> struct HeadsOuter {
  const CellFacts& cell;
  const ProductKernels<T>& products;
  const int H, K;                          // units of a layer, and of a head
  const OuterJob<T>& slots;                // whose rows are the slots' gradients
  const std::vector<const T*>* read_rows;  // of each stage, what its product read
  const std::vector<T*>* d_rows;           // and the rows of its weights' gradients, of K each

  // One thread's part of them.
  void run(int part, int parts, T* scratch) const {
    std::vector<const T*> read(slots.rows);
    int nth = 0;
    for (int first = 0; first < H; first += K)
      for (int stage = 0; stage < cell.stage_count(); ++stage) {
        const Feed& feed = cell.stage(stage);
        for (int s = 0; s < feed.count(); ++s) {
          if (nth++ % parts != part) continue;
          for (int n = 0; n < slots.rows; ++n) read[n] = read_rows[stage][n] + first;
          OuterJob<T> one;
          one.rows = slots.rows;
          one.M = K;
          one.a = slots.a + std::ptrdiff_t{feed.begin + s} * H + first;
          one.a_stride = slots.a_stride;
          one.side[0] = {0, K, K, read.data(), d_rows[stage].data() + std::ptrdiff_t{s} * H + first};
          products.outer(one, 0, 1, scratch);
        }
      }
  }
};

}  // namespace elman
