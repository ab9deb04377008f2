// The way forward: the scan of each cell, and the weights as it reads them.
#pragma once

#include "isa/parts.h"
#include "recurrent/pack.h"
#include "recurrent/scan.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T, class... Cell> constexpr PerCell<ForwardKernels<T>> forward_kernels(CellList<Cell...>) {
  return {{{packed_bytes<Cell, T, T, lanes<T>>, pack<Cell, T, T, lanes<T>>,
            forward<Cell, T, T, lanes<T>, registers>, pack_first<Cell, T, lanes<T>>,
            forward<Cell, T, Plain, lanes<T>, registers>}...}};
}

}  // namespace
}  // namespace elman::ELMAN_ISA
