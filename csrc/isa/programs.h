// The way forward of cells with a program. Their way back is compiled with that of the others, whose products
// it uses.
#pragma once

#include "isa/parts.h"
#include "programs/forward.h"
#include "programs/link.h"

namespace elman::ELMAN_ISA {
namespace {

template <class T> void program_forward(const ForwardJob<T>& job, const Piece& piece) {
  forward<ProgramForward<T, lanes<T>, registers>, T, lanes<T>>(job, piece);
}

template <class T>
constexpr ForwardKernels<T> program_kernels = {program_bytes<T, lanes<T>>, program_pack<T, lanes<T>>,
                                               program_forward<T>, program_first<T, lanes<T>>,
                                               program_forward<T>};

}  // namespace
}  // namespace elman::ELMAN_ISA
