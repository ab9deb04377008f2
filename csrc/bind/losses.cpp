// Cross-entropy, and connectionist temporal classification.
#include "bind/parts.h"
#include "losses/cross_entropy.h"
#include "losses/ctc.h"

namespace elman {
namespace {

template <class T>
double cross_entropy(const py::array_t<T, py::array::c_style>& logits, const py::array& target,
                     const py::object& mask, double smoothing, double scale, const py::object& d_logits) {
  const auto shape = checked_shape(logits, 2, "logits");
  CrossEntropy<T> call;
  call.N = shape[0];
  call.C = checked_size(shape[1], 0, "logits");
  call.logits = input<T>(logits, elements({call.N, call.C}), "logits");
  call.smoothing = smoothing;
  call.scale = static_cast<T>(scale);
  call.d_logits = maybe_output<T>(d_logits, elements({call.N, call.C}), "d_logits");
  const Copy<int64_t> classes = copied<int64_t>(target, call.N, "target");
  const Copy<bool> counts = maybe_copied<bool>(mask, call.N, "mask");
  call.target = classes.data();
  call.mask = counts.data();
  for (int64_t n = 0; n < call.N; ++n)
    if (!call.mask || call.mask[n]) check_within(&classes[n], 1, 0, call.C - 1, "target");
  const Unlocked unlocked;
  return run_cross_entropy(call);
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
  m.def("cross_entropy", &cross_entropy<T>, py::arg("logits").noconvert(), py::arg("target"), py::arg("mask"),
        py::arg("smoothing"), py::arg("scale"), py::arg("d_logits"));
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
