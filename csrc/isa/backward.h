// The way back: the scan of each cell, and the products, which are its larger part and serve other layers
// too.
#pragma once

#include "isa/parts.h"
#include "programs/backward.h"
#include "recurrent/compiled_backward.h"
#include "recurrent/scan_back.h"
#include "tile/outer.h"
#include "tile/pack.h"
#include "tile/plain_product.h"
#include "tile/product.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T, class... Cell> constexpr PerCell<BackwardKernels<T>> backward_kernels(CellList<Cell...>) {
  return {{{backward<Cell, T, lanes<T>, registers>}...}};
}

template <class T> void program_backward(const BackwardJob<T>& job, const Piece& piece) {
  const CellFacts& facts = job.cell->facts;
  using Cell = ProgramBackward<T, lanes<T>, registers>;
  BackwardScan<Cell, T, lanes<T>, registers>(job, piece, facts.columns(), facts.state_count(),
                                             facts.stage_count())
      .run();
}

template <class T> constexpr ProductKernels<T> products_of() {
  return {lanes<T>,
          max_rows<registers, tile_columns>,
          pack_matrix<T, lanes<T>>,
          pack_transposed<T, lanes<T>>,
          product<T, lanes<T>, registers>,
          plain_scratch<T, lanes<T>, registers>,
          multiply_plain<T, lanes<T>, registers>,
          outer_scratch<T, lanes<T>>,
          outer<T, lanes<T>, registers>};
}

}  // namespace
}  // namespace elman::ELMAN_ISA
