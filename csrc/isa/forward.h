// The way forward: the scan of each cell, and the weights as it reads them.
#pragma once

#include "isa/parts.h"
#include "recurrent/compiled_forward.h"
#include "recurrent/pack.h"
#include "recurrent/scan.h"

namespace elman::ELMAN_ISA {
namespace {

template <class Cell, class T, class Stored>
void compiled_forward(const ForwardJob<T>& job, const Piece& piece) {
  forward<CompiledForward<Cell, T, Stored, lanes<T>, registers>, T, lanes<T>>(job, piece);
}

template <class T, class... Cell> constexpr PerCell<ForwardKernels<T>> forward_kernels(CellList<Cell...>) {
  return {{{packed_bytes<Cell, T, T, lanes<T>>, pack<Cell, T, T, lanes<T>>, compiled_forward<Cell, T, T>,
            pack_first<Cell, T, lanes<T>>, compiled_forward<Cell, T, Plain>}...}};
}

}  // namespace
}  // namespace elman::ELMAN_ISA
