// The scans of cells with a program, there and back.
#pragma once

#include "isa/parts.h"
#include "programs/backward.h"
#include "programs/forward.h"
#include "programs/link.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T, class Stored> void program_forward(const ForwardJob<T>& job, const Piece& piece) {
  forward<ProgramForward<T, Stored, lanes<T>, registers>, T, lanes<T>>(job, piece);
}

template <class T> void program_backward(const BackwardJob<T>& job, const Piece& piece) {
  const CellFacts& facts = job.cell->facts;
  BackwardScan<ProgramBackward<T, lanes<T>, registers>, T, lanes<T>, registers>(job, piece, facts.slots,
                                                                                facts.state_count(), 1)
      .run();
}

template <class T> constexpr ProgramKernels<T> program_kernels() {
  return {{program_bytes<T, lanes<T>>, program_pack<T, lanes<T>>, program_forward<T, T>,
           program_first<T, lanes<T>>, program_forward<T, Plain>},
          {program_backward<T>},
          link<T, lanes<T>>};
}

}  // namespace
}  // namespace elman::ELMAN_ISA
