// The parts of an instruction set. Each is an object of its own, so that they compile at the same time, and a
// change in one room compiles only the parts that hold it. engine.cmake compiles each part once for every
// set, with the name of the set's header (such as "isa/avx512.h") in ELMAN_ISA_HEADER.
#pragma once

#include ELMAN_ISA_HEADER

#include "cells/cells.h"
#include "kernels/isa.h"

namespace elman {
namespace {

template <class T> constexpr int lanes = vector_bytes ? vector_bytes / int{sizeof(T)} : 1;

}  // namespace

// What one part offers the table. These names are all that leaves its object.
namespace ELMAN_ISA {

// One entry for each of the cells.
template <class Entry> struct PerCell {
  Entry cell[Cells::count];
};

extern const PerCell<ForwardKernels<float>> forward_f32;
extern const PerCell<ForwardKernels<double>> forward_f64;
extern const PerCell<BackwardKernels<float>> backward_f32;
extern const PerCell<BackwardKernels<double>> backward_f64;
extern const BackwardKernels<float> program_back_f32;
extern const BackwardKernels<double> program_back_f64;
extern const ProgramKernels<float> programs_f32;
extern const ProgramKernels<double> programs_f64;
extern const ProductKernels<float> products_f32;
extern const ProductKernels<double> products_f64;
extern const Isa isa;

}  // namespace ELMAN_ISA
}  // namespace elman
