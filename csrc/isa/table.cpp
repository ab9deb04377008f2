// The table of an instruction set, and the kernels that compile in a moment.
#include <utility>

#include "isa/parts.h"
#include "layers/softmax_kernel.h"
#include "losses/log_sums_kernel.h"
#include "optim/update_kernel.h"
#include "probes/fingerprint_kernel.h"
#include "probes/rates_kernel.h"

#define ELMAN_STRING_OF(name) #name
#define ELMAN_STRING(name) ELMAN_STRING_OF(name)

namespace elman::ELMAN_ISA {
namespace {

template <class... Cell, int... I>
constexpr PerCell<CellRef> cells_of(CellList<Cell...>, std::integer_sequence<int, I...>) {
  return {{{&Cell::facts,
            {&forward_f32.cell[I], &backward_f32.cell[I]},
            {&forward_f64.cell[I], &backward_f64.cell[I]}}...}};
}
constexpr PerCell<CellRef> cells = cells_of(Cells{}, std::make_integer_sequence<int, Cells::count>{});

template <class T> constexpr SoftmaxKernels<T> softmax_of() {
  return {softmax<T, lanes<T>>, softmax_backward<T, lanes<T>>};
}

template <class T> constexpr UpdateKernels<T> updates_of() {
  return {update<T, lanes<T>, Sgd<T>>, update<T, lanes<T>, RmsProp<T>>, update<T, lanes<T>, Adam<T>>,
          add<T, lanes<T>>, sum_of_squares<T, lanes<double>>};
}

constexpr LogSumKernels log_sums = {log_sum_rows<lanes<double>>, exp_rows<lanes<double>>};

constexpr ProbeKernels probes = {spin<float, lanes<float>, registers>, spin<double, lanes<double>, registers>,
                                 read_all<float, lanes<float>>, fingerprint<lanes<double>>};

}  // namespace

constexpr Isa isa = {
    ELMAN_STRING(ELMAN_ISA),
    Cells::count,
    cells.cell,
    &products_f32,
    &products_f64,
    &programs_f32,
    &programs_f64,
    softmax_of<float>(),
    softmax_of<double>(),
    updates_of<float>(),
    updates_of<double>(),
    log_sums,
    probes,
};

}  // namespace elman::ELMAN_ISA
