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

template <class T> const CellKernels<T>& kernels(const Isa& isa, int cell);
template <> inline const CellKernels<float>& kernels(const Isa& isa, int cell) { return isa.f32[cell]; }
template <> inline const CellKernels<double>& kernels(const Isa& isa, int cell) { return isa.f64[cell]; }

template <class T> const ProductKernels<T>& product_kernels(const Isa& isa);
template <> inline const ProductKernels<float>& product_kernels(const Isa& isa) { return isa.products_f32; }
template <> inline const ProductKernels<double>& product_kernels(const Isa& isa) { return isa.products_f64; }

template <class T> const SoftmaxKernels<T>& softmax_kernels(const Isa& isa);
template <> inline const SoftmaxKernels<float>& softmax_kernels(const Isa& isa) { return isa.softmax_f32; }
template <> inline const SoftmaxKernels<double>& softmax_kernels(const Isa& isa) { return isa.softmax_f64; }

template <class T> const UpdateKernels<T>& update_kernels(const Isa& isa);
template <> inline const UpdateKernels<float>& update_kernels(const Isa& isa) { return isa.updates_f32; }
template <> inline const UpdateKernels<double>& update_kernels(const Isa& isa) { return isa.updates_f64; }

template <class T> int groups_of(const Isa& isa, int H) {
  const int lanes = product_kernels<T>(isa).lanes;
  return (H + lanes - 1) / lanes;
}

}  // namespace elman
