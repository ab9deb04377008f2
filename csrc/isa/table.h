// Included last by each file of isa/, after it has said how wide its vectors are: instantiates every
// kernel for that instruction set and gathers them in a table.
#pragma once

#include "cells/cells.h"
#include "kernels/isa.h"
#include "layers/softmax.h"
#include "losses/log_sums.h"
#include "optim/update.h"
#include "probes/fingerprint.h"
#include "probes/limits.h"
#include "recurrent/scan.h"
#include "recurrent/scan_back.h"
#include "tile/outer.h"

namespace elman {
namespace {

// Bytes: the width of a vector (0: one element). Registers: how many the set has.
template <int Bytes, int Registers> struct Tables {
  template <class T> static constexpr int lanes = Bytes ? Bytes / int{sizeof(T)} : 1;

  template <class T, class List> struct Of;
  template <class T, class... Cell> struct Of<T, CellList<Cell...>> {
    static constexpr CellKernels<T> kernels[] = {{packed_size<Cell, lanes<T>>, pack<Cell, T, lanes<T>>,
                                                  forward<Cell, T, lanes<T>, Registers>,
                                                  backward<Cell, T, lanes<T>, Registers>}...};
    static constexpr const CellFacts* facts[] = {&Cell::facts...};
    static constexpr int count = sizeof...(Cell);
  };

  template <class T>
  static constexpr ProductKernels<T> products = {lanes<T>,
                                                 max_rows<Registers, tile_columns>,
                                                 pack_matrix<T, lanes<T>>,
                                                 pack_transposed<T, lanes<T>>,
                                                 product<T, lanes<T>, Registers>,
                                                 outer_scratch<T, lanes<T>>,
                                                 outer<T, lanes<T>, Registers>,
                                                 spin<T, lanes<T>, Registers>,
                                                 read_all<T, lanes<T>>};

  template <class T>
  static constexpr SoftmaxKernels<T> softmaxes = {softmax<T, lanes<T>>, softmax_backward<T, lanes<T>>};

  template <class T>
  static constexpr UpdateKernels<T> updates = {update<T, lanes<T>, Sgd<T>>, update<T, lanes<T>, RmsProp<T>>,
                                               update<T, lanes<T>, Adam<T>>,
                                               sum_of_squares<T, lanes<double>>};
  static constexpr LogSumKernels log_sums = {log_sum_rows<lanes<double>>, exp_rows<lanes<double>>};

  static constexpr Isa isa(const char* name) {
    return {name,
            Of<float, Cells>::count,
            Of<float, Cells>::facts,
            Of<float, Cells>::kernels,
            Of<double, Cells>::kernels,
            products<float>,
            products<double>,
            softmaxes<float>,
            softmaxes<double>,
            updates<float>,
            updates<double>,
            log_sums,
            fingerprint<lanes<double>>};
  }
};

}  // namespace
}  // namespace elman
