// Connectionist temporal classification.
#include "train/ctc.h"

#include "bind/parts.h"

namespace elman {
namespace {

template <class T>
void ctc(const py::array_t<T, py::array::c_style>& logits, const py::array& lengths, const py::array& target,
         const py::array& target_lengths, int blank, bool zero_infinity, const py::array& losses,
         const py::object& scale, const py::object& d_logits) {
  if (logits.ndim() != 3) throw py::value_error("logits: expected three axes");
  if (target.ndim() != 2) throw py::value_error("target: expected two axes");
  // So that 2 S + 1 states have room in an int.
  for (const py::array& array : {py::array(logits), target})
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis)
      if (array.shape(axis) > 1 << 30) throw py::value_error("logits, target: too large");
  Ctc<T> call;
  call.T_max = static_cast<int>(logits.shape(0));
  call.B = static_cast<int>(logits.shape(1));
  call.C = static_cast<int>(logits.shape(2));
  call.S_max = static_cast<int>(target.shape(1));
  call.logits = logits.data();
  call.lengths = input<int64_t>(lengths, call.B, "lengths");
  call.target = input<int64_t>(target, py::ssize_t{call.B} * call.S_max, "target");
  call.target_lengths = input<int64_t>(target_lengths, call.B, "target_lengths");
  call.blank = blank;
  call.zero_infinity = zero_infinity;
  call.losses = output<double>(losses, call.B, "losses");
  call.d_logits = output<T>(d_logits, logits.size(), "d_logits");
  call.scale = input<double>(scale, call.B, "scale");
  if (call.d_logits && !call.scale) throw py::value_error("scale: expected one with d_logits");
  if (blank < 0 || blank >= call.C) throw py::value_error("blank: expected a class");
  for (int b = 0; b < call.B; ++b) {
    if (call.lengths[b] < 0 || call.lengths[b] > call.T_max)
      throw py::value_error("lengths: expected 0 to T");
    if (call.target_lengths[b] < 0 || call.target_lengths[b] > call.S_max)
      throw py::value_error("target_lengths: expected 0 to S");
    const int64_t* labels = call.target + py::ssize_t{b} * call.S_max;
    for (int64_t i = 0; i < call.target_lengths[b]; ++i)
      if (labels[i] < 0 || labels[i] >= call.C) throw py::value_error("target: expected classes");
  }
  const Unlocked unlocked;
  run_ctc(call);
}

template <class T> void bind_type(py::module_& m) {
  m.def("ctc", &ctc<T>, py::arg("logits").noconvert(), py::arg("lengths"), py::arg("target"),
        py::arg("target_lengths"), py::arg("blank"), py::arg("zero_infinity"), py::arg("losses"),
        py::arg("scale"), py::arg("d_logits"));
}

}  // namespace

void bind_ctc(py::module_& m) {
  bind_type<float>(m);
  bind_type<double>(m);
}

}  // namespace elman
