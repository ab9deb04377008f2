// The table of an instruction set, and the kernels that compile in a moment.
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

template <class... Cell> constexpr PerCell<const CellFacts*> facts_of(CellList<Cell...>) {
  return {{&Cell::facts...}};
}
constexpr PerCell<const CellFacts*> facts = facts_of(Cells{});

template <class T> constexpr Rows<T> rows() { return {softmax<T, lanes<T>>, softmax_backward<T, lanes<T>>}; }

template <class T> constexpr Updates<T> updates() {
  return {update<T, lanes<T>, Sgd<T>>, update<T, lanes<T>, RmsProp<T>>, update<T, lanes<T>, Adam<T>>,
          add<T, lanes<T>>, sum_of_squares<T, lanes<double>>};
}

constexpr LogRows log_rows = {log_sum_rows<lanes<double>>, exp_rows<lanes<double>>};

constexpr ProbeKernels probes = {spin<float, lanes<float>, registers>, spin<double, lanes<double>, registers>,
                                 read_all<float, lanes<float>>, fingerprint<lanes<double>>};

}  // namespace

constexpr Isa isa = {
    ELMAN_STRING(ELMAN_ISA), Cells::count,      facts.cell,        forward_f32.cell, forward_f64.cell,
    backward_f32.cell,       backward_f64.cell, &products_f32,     &products_f64,    rows<float>(),
    rows<double>(),          updates<float>(),  updates<double>(), log_rows,         probes};

}  // namespace elman::ELMAN_ISA
