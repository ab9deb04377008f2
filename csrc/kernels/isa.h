// What one instruction set offers: the tables of everything that is compiled for it. Only plain structs of
// pointers cross between these objects and the common code.
#pragma once

#include <cstdint>

#include "kernels/log_sums.h"
#include "kernels/products.h"
#include "kernels/recurrent.h"
#include "kernels/softmax.h"
#include "kernels/updates.h"

namespace elman {

struct Isa {
  const char* name;
  int cell_count;
  const CellFacts* const* cells;  // [cell_count], like the kernels
  const CellKernels<float>* f32;
  const CellKernels<double>* f64;
  ProductKernels<float> products_f32;
  ProductKernels<double> products_f64;
  SoftmaxKernels<float> softmax_f32;
  SoftmaxKernels<double> softmax_f64;
  UpdateKernels<float> updates_f32;
  UpdateKernels<double> updates_f64;
  LogSumKernels log_sums;
  uint64_t (*fingerprint)(const char* p, int64_t bytes);
};

}  // namespace elman
