// A stack: L layers in D directions of one cell with H units, and its weights in the layouts of an
// instruction set.
#pragma once

#include <vector>

#include "kernels/dispatch.h"
#include "machine/buffer.h"

namespace elman {

// What a stack is, whatever its weights are. Layers and directions are numbered together: the first layer's
// directions, then the second's.
struct Stack {
  const Isa& isa;
  const CellRef cell;
  const int I, H, L, D;
  const int heads = 1;  // of a cell with a program: a unit reads h and later rows of its own head alone

  const CellFacts& facts() const { return *cell.facts; }
  int parts() const { return L * D; }
  int head() const { return H / heads; }                            // units of one
  int width() const { return D * H; }                               // of a row of results
  int inputs(int layer) const { return layer == 0 ? I : width(); }  // of a row that a layer reads
};

// Weights as the forward pass reads them.
template <class T> struct PackedStack : Stack {
  PackedStack(const Stack& stack, const std::vector<Weights<T>>& weights);  // one for each part

  const CellKernels<T>& kernels() const { return cell_kernels<T>(cell); }

  std::vector<Buffer<char>> packed;  // of each part
};

// The same weights as the backward pass reads them.
template <class T> struct PackedBackStack : Stack {
  PackedBackStack(const Stack& stack, const std::vector<Weights<T>>& weights);
  explicit PackedBackStack(const Stack& stack) : Stack(stack) {}  // with nothing packed

  const CellKernels<T>& kernels() const { return cell_kernels<T>(cell); }

  struct Part {
    Buffer<T> ih, hh[max_stages];
    Buffer<T> vectors;  // [vectors, ceil(H / L) * L]
  };
  std::vector<Part> packed;
};

// The rows of one weight matrix of `width` columns (or of its gradient) in the order of the slots that a
// product feeds.
template <class Row, class T> std::vector<Row> slot_rows(const Feed& feed, T* matrix, int H, int width) {
  std::vector<Row> rows;
  rows.reserve(std::size_t(feed.count()) * H);
  for (int s = 0; s < feed.count(); ++s)
    for (int u = 0; u < H; ++u) rows.push_back(matrix + (std::ptrdiff_t{feed.gate[s]} * H + u) * width);
  return rows;
}

}  // namespace elman
