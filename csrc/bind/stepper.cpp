// Streaming: one step per call.
#include "engine/stepper.h"

#include <pybind11/stl.h>

#include "bind/parts.h"

namespace elman {
namespace {

std::string describe(const py::handle& object) {
  if (!py::isinstance<py::array>(object)) return py::str(py::type::of(object).attr("__name__"));
  const auto array = py::reinterpret_borrow<py::array>(object);
  std::string text = py::str(array.dtype()).cast<std::string>() + " [";
  for (py::ssize_t i = 0; i < array.ndim(); ++i) text += (i ? ", " : "") + std::to_string(array.shape(i));
  return text + "]" + (array.flags() & py::array::c_style ? "" : ", not C-contiguous");
}

// A [rows, columns] array of T; the error says what was expected and what came.
template <class T>
T* matrix(const py::handle& object, py::ssize_t rows, py::ssize_t columns, const char* name, bool writes) {
  if (py::isinstance<py::array_t<T, py::array::c_style>>(object)) {
    const auto array = py::reinterpret_borrow<py::array>(object);
    if (array.ndim() == 2 && array.shape(0) == rows && array.shape(1) == columns) {
      if (writes && !array.writeable())
        throw py::value_error(std::string(name) + ": expected a writeable array, got a read-only one");
      return static_cast<T*>(const_cast<void*>(array.data()));
    }
  }
  throw py::value_error(std::string(name) + ": expected [" + std::to_string(rows) + ", " +
                        std::to_string(columns) + "] " + type_name<T>() + ", got " + describe(object));
}

template <class T> py::array step(Stepper<T>& stepper, const py::object& x, const py::object& out) {
  const py::ssize_t B = stepper.batch_size(), H = stepper.hidden_size();
  const T* x_data = matrix<T>(x, B, stepper.input_size(), "x", false);
  py::array y = out.is_none() ? py::array(py::array_t<T>({B, H})) : py::reinterpret_borrow<py::array>(out);
  T* y_data = matrix<T>(y, B, H, "out", true);
  const Unlocked unlocked;
  stepper.step(x_data, y_data);
  return y;
}

template <class T> py::object get_state(Stepper<T>& stepper, int k, py::object out) {
  const py::ssize_t L = stepper.layers(), B = stepper.batch_size(), H = stepper.hidden_size();
  if (out.is_none()) out = py::array_t<T>({L, B, H});
  T* to = output<T>(out, L * B * H, "out");
  for (int l = 0; l < L; ++l) std::memcpy(to + l * B * H, stepper.state(l, k), B * H * sizeof(T));
  return out;
}

template <class T> void set_state(Stepper<T>& stepper, int k, const py::object& value) {
  const py::ssize_t L = stepper.layers(), size = py::ssize_t{stepper.batch_size()} * stepper.hidden_size();
  const T* from = input<T>(value, L * size, "state");
  for (int l = 0; l < L; ++l) std::memcpy(stepper.state(l, k), from + l * size, size * sizeof(T));
}

template <class T> void reset_rows(Stepper<T>& stepper, const std::vector<int>& rows) {
  const int H = stepper.hidden_size();
  for (int r : rows)
    if (r < 0 || r >= stepper.batch_size())
      throw py::value_error("rows: expected indices below the batch size");
  for (int l = 0; l < stepper.layers(); ++l)
    for (int k = 0; k < stepper.states(); ++k)
      for (int r : rows) std::memset(stepper.state(l, k) + std::ptrdiff_t{r} * H, 0, H * sizeof(T));
}

template <class T> void bind_type(py::module_& m, const char* name) {
  py::class_<Stepper<T>>(m, name)
      .def(py::init<std::vector<std::shared_ptr<Packed<T>>>, int>())
      .def("step", &step<T>, py::arg("x"), py::arg("out") = py::none())
      .def("get_state", &get_state<T>, py::arg("k"), py::arg("out") = py::none())
      .def("set_state", &set_state<T>)
      .def("reset_rows", &reset_rows<T>);
  m.def("stepper", [](std::vector<std::shared_ptr<Packed<T>>> layers, int batch_size) {
    return std::make_unique<Stepper<T>>(std::move(layers), batch_size);
  });
}

}  // namespace

void bind_stepper(py::module_& m) {
  bind_type<float>(m, "StepperFloat32");
  bind_type<double>(m, "StepperFloat64");
}

}  // namespace elman
