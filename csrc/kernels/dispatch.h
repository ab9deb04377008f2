// Which instruction set's kernels run: the best the processor has, unless ELMAN_ISA or use_isa() forces one.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/isa.h"

namespace elman {

std::vector<const Isa*> isas();  // those this build has and this processor can run, best first
const Isa& current_isa();
void use_isa(const std::string& name);  // throws std::invalid_argument for a name not in isas()

int find_cell(const std::string& name);  // its place in the tables; throws std::invalid_argument

template <class T> const Kernels<T>& kernels(const Isa& isa, int cell);
template <> inline const Kernels<float>& kernels(const Isa& isa, int cell) { return isa.f32[cell]; }
template <> inline const Kernels<double>& kernels(const Isa& isa, int cell) { return isa.f64[cell]; }

template <class T> BackwardKernel<T> backward_kernel(const Isa& isa, int cell);
template <> inline BackwardKernel<float> backward_kernel(const Isa& isa, int cell) {
  return isa.backward_f32[cell];
}
template <> inline BackwardKernel<double> backward_kernel(const Isa& isa, int cell) {
  return isa.backward_f64[cell];
}

template <class T> const Products<T>& products(const Isa& isa);
template <> inline const Products<float>& products(const Isa& isa) { return *isa.products_f32; }
template <> inline const Products<double>& products(const Isa& isa) { return *isa.products_f64; }

template <class T> const Rows<T>& row_functions(const Isa& isa);
template <> inline const Rows<float>& row_functions(const Isa& isa) { return isa.rows_f32; }
template <> inline const Rows<double>& row_functions(const Isa& isa) { return isa.rows_f64; }

template <class T> const Updates<T>& updates(const Isa& isa);
template <> inline const Updates<float>& updates(const Isa& isa) { return isa.updates_f32; }
template <> inline const Updates<double>& updates(const Isa& isa) { return isa.updates_f64; }

template <class T> int blocks_of(const Isa& isa, int H) {
  const int lanes = products<T>(isa).lanes;
  return (H + lanes - 1) / lanes;
}

}  // namespace elman
