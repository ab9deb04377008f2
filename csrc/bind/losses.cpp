// Cross-entropy, and connectionist temporal classification.
#include <pybind11/stl.h>

#include <optional>

#include "bind/parts.h"
#include "losses/cross_entropy.h"
#include "losses/ctc.h"

namespace elman {
namespace {

// `target`: classes [N] int64, or shares of the classes [N, C] float64. Targets of the number `ignore` do not
// count, and neither do rows of weight 0.
template <class T>
py::tuple cross_entropy(const py::array_t<T, py::array::c_style>& logits, const py::array& target,
                        const py::object& weights, std::optional<int64_t> ignore, double smoothing,
                        const py::object& d_logits) {
  const auto shape = checked_shape(logits, 2, "logits");
  CrossEntropy<T> call;
  call.N = shape[0];
  call.C = checked_size(shape[1], 1, "logits");
  call.logits = input<T>(logits, elements({call.N, call.C}), "logits");
  call.smoothing = smoothing;
  call.d_logits = maybe_output<T>(d_logits, elements({call.N, call.C}), "d_logits");
  // A copy, too: a weight that is 0 now and not later would be that of a target that has not been checked.
  Copy<double> counts = maybe_copied<double>(weights, call.N, "weights");
  Copy<int64_t> classes;
  if (target.ndim() == 2) {
    call.shares = input<double>(target, elements({call.N, call.C}), "target");
  } else {
    classes = copied<int64_t>(target, call.N, "target");
    call.target = classes.data();
    for (int64_t n = 0; n < call.N; ++n) {
      if (classes[n] == ignore) {
        if (counts.empty()) counts.assign(call.N, 1);
        counts[n] = 0;
      } else if (counts.empty() || counts[n] != 0) {
        check_within(&classes[n], 1, 0, call.C - 1, "target");
      }
    }
  }
  call.weights = counts.empty() ? nullptr : counts.data();
  WeightedSum total;
  {
    const Unlocked unlocked;
    total = run_cross_entropy(call);
  }
  return py::make_tuple(total.loss, total.weight);
}

template <class T>
void ctc(const py::array_t<T, py::array::c_style>& logits, const py::array& lengths, const py::array& target,
         const py::array& target_lengths, int blank, bool zero_infinity, const py::array& losses,
         const py::object& scale, const py::object& d_logits) {
  const auto shape = checked_shape(logits, 3, "logits"), labels = checked_shape(target, 2, "target");
  Ctc<T> call;
  call.T_max = checked_size(shape[0], 0, "logits");
  call.B = checked_size(shape[1], 0, "logits");
  call.C = checked_size(shape[2], 0, "logits");
  call.S_max = checked_size(labels[1], 0, "target");
  const py::ssize_t size = elements({call.T_max, call.B, call.C});
  call.logits = input<T>(logits, size, "logits");
  const Copy<int64_t> steps = copied<int64_t>(lengths, call.B, "lengths");
  const Copy<int64_t> classes = copied<int64_t>(target, elements({call.B, call.S_max}), "target");
  const Copy<int64_t> counts = copied<int64_t>(target_lengths, call.B, "target_lengths");
  call.lengths = steps.data();
  call.target = classes.data();
  call.target_lengths = counts.data();
  call.blank = blank;
  call.zero_infinity = zero_infinity;
  call.losses = output<double>(losses, call.B, "losses");
  call.d_logits = maybe_output<T>(d_logits, size, "d_logits");
  call.scale = maybe_input<double>(scale, call.B, "scale");
  if (call.d_logits && !call.scale) throw py::value_error("scale: expected one with d_logits");
  if (blank < 0 || blank >= call.C) throw py::value_error("blank: expected a class");
  check_within(call.lengths, call.B, 0, call.T_max, "lengths");
  check_within(call.target_lengths, call.B, 0, call.S_max, "target_lengths");
  for (int b = 0; b < call.B; ++b)
    check_within(call.target + py::ssize_t{b} * call.S_max, call.target_lengths[b], 0, call.C - 1, "target");
  const Unlocked unlocked;
  run_ctc(call);
}

template <class T> void bind_type(py::module_& m) {
  m.def("cross_entropy", &cross_entropy<T>, py::arg("logits").noconvert(), py::arg("target"),
        py::arg("weights"), py::arg("ignore"), py::arg("smoothing"), py::arg("d_logits"));
  m.def("ctc", &ctc<T>, py::arg("logits").noconvert(), py::arg("lengths"), py::arg("target"),
        py::arg("target_lengths"), py::arg("blank"), py::arg("zero_infinity"), py::arg("losses"),
        py::arg("scale"), py::arg("d_logits"));
}

}  // namespace

void bind_losses(py::module_& m) {
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace elman
