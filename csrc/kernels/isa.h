// What one instruction set offers: the tables of everything that is compiled for it. Only plain structs of
// pointers cross between these objects and the common code.
#pragma once

#include <cstdint>

#include "kernels/log_sums.h"
#include "kernels/probes.h"
#include "kernels/products.h"
#include "kernels/recurrent.h"
#include "kernels/softmax.h"
#include "kernels/updates.h"

namespace elman {

struct Isa {
  const char* name;
  int cell_count;
  const CellRef* cells;  // [cell_count]
  const ProductKernels<float>* products_f32;
  const ProductKernels<double>* products_f64;
  const ProgramKernels<float>* programs_f32;
  const ProgramKernels<double>* programs_f64;
  SoftmaxKernels<float> softmax_f32;
  SoftmaxKernels<double> softmax_f64;
  UpdateKernels<float> updates_f32;
  UpdateKernels<double> updates_f64;
  LogSumKernels log_sums;
  ProbeKernels probes;
};

}  // namespace elman
