// What one instruction set offers: the tables of everything that is compiled for it. Only plain structs of
// pointers cross between these objects and the common code.
#pragma once

#include <cstdint>

#include "kernels/log_rows.h"
#include "kernels/probes.h"
#include "kernels/products.h"
#include "kernels/recurrent.h"
#include "kernels/rows.h"
#include "kernels/updates.h"

namespace elman {

struct Isa {
  const char* name;
  int cell_count;
  const CellFacts* const* cells;  // [cell_count], like the kernels
  const Kernels<float>* f32;
  const Kernels<double>* f64;
  const BackwardKernel<float>* backward_f32;
  const BackwardKernel<double>* backward_f64;
  const Products<float>* products_f32;
  const Products<double>* products_f64;
  Rows<float> rows_f32;
  Rows<double> rows_f64;
  Updates<float> updates_f32;
  Updates<double> updates_f64;
  LogRows log_rows;
  ProbeKernels probes;
};

}  // namespace elman
