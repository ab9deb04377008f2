// Streaming: one step per call.
#include "recurrent/stepper.h"

#include <pybind11/stl.h>

#include "bind/parts.h"

namespace elman {
namespace {

// A [rows, columns] array of T; the error says what was expected and what came.
template <class T>
T* matrix(const py::handle& object, py::ssize_t rows, py::ssize_t columns, const char* name, bool writes) {
  if (is_plain<T>(object)) {
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

template <class T> using Holder = std::shared_ptr<Stepper<T>>;

template <class T>
Holder<T> make_stepper(const std::shared_ptr<PackedStack<T>>& packed, py::ssize_t batch_size) {
  const Stack& stack = held(packed, "packed");
  if (stack.D != 1)
    throw py::value_error("packed: expected a stack of one direction, got one of " + std::to_string(stack.D));
  if (batch_size < 0 || batch_size > INT32_MAX)
    throw py::value_error("batch_size: expected 0 to 2147483647, got " + std::to_string(batch_size));
  const ForcedSchedule wanted = schedule_of_environment();
  const Unlocked unlocked;
  return std::make_shared<Stepper<T>>(packed, static_cast<int>(batch_size), wanted);
}

template <class T>
py::object step(const Holder<T>& stepper, const py::object& x, const py::object& out, const py::object& mask,
                const py::object& scalars) {
  const py::ssize_t B = stepper->batch_size(), H = stepper->stack().H;
  const T* x_data = matrix<T>(x, B, stepper->stack().I, "x", false);
  py::object y = out.is_none() ? py::object(py::array_t<T>({B, H})) : out;
  T* y_data = matrix<T>(y, B, H, "out", true);
  const Copy<bool> marks = maybe_copied<bool>(mask, B, "mask");
  const int count = stepper->stack().facts().scalar_count();
  if (!count && !scalars.is_none()) throw py::value_error("scalars: expected None, which the cell has not");
  const T* numbers = count ? matrix<T>(scalars, B, count, "scalars", false) : nullptr;
  const typename Stepper<T>::Use use(*stepper);
  const Unlocked unlocked;
  stepper->step(x_data, y_data, marks.data(), numbers);
  return y;
}

void check_state(int k, int states) {
  if (k < 0 || k >= states)
    throw py::value_error("k: expected 0 to " + std::to_string(states - 1) + ", got " + std::to_string(k));
}

template <class T> py::object get_state(const Holder<T>& stepper, int k, py::object out) {
  const py::ssize_t L = stepper->stack().L, B = stepper->batch_size(), H = stepper->stack().H;
  const py::ssize_t size = B * H;
  check_state(k, stepper->states());
  if (out.is_none()) out = py::array_t<T>({L, B, H});
  T* to = output<T>(out, elements({L, size}), "out");
  const typename Stepper<T>::Use use(*stepper);
  for (int l = 0; l < L; ++l) std::memcpy(to + l * size, stepper->state(l, k), size * sizeof(T));
  return out;
}

template <class T> void set_state(const Holder<T>& stepper, int k, const py::object& value) {
  const py::ssize_t L = stepper->stack().L, size = py::ssize_t{stepper->batch_size()} * stepper->stack().H;
  check_state(k, stepper->states());
  const T* from = input<T>(value, elements({L, size}), "state");
  const typename Stepper<T>::Use use(*stepper);
  for (int l = 0; l < L; ++l) std::memcpy(stepper->state(l, k), from + l * size, size * sizeof(T));
}

template <class T> void reset_rows(const Holder<T>& stepper, const std::vector<int64_t>& rows) {
  const int H = stepper->stack().H;
  check_within(rows.data(), rows.size(), 0, stepper->batch_size() - 1, "rows");
  const typename Stepper<T>::Use use(*stepper);
  for (int l = 0; l < stepper->stack().L; ++l)
    for (int k = 0; k < stepper->states(); ++k)
      for (const int64_t r : rows) std::memset(stepper->state(l, k) + r * H, 0, H * sizeof(T));
}

template <class T> void bind_type(py::module_& m, const char* name) {
  py::class_<Stepper<T>, Holder<T>>(m, name)
      .def("step", &step<T>, py::arg("x"), py::arg("out") = py::none(), py::arg("mask") = py::none(),
           py::arg("scalars") = py::none())
      .def("get_state", &get_state<T>, py::arg("k"), py::arg("out") = py::none())
      .def("set_state", &set_state<T>, py::arg("k"), py::arg("value"))
      .def("reset_rows", &reset_rows<T>, py::arg("rows"));
  m.def("stepper", &make_stepper<T>, py::arg("packed"), py::arg("batch_size"));
}

}  // namespace

void bind_stepper(py::module_& m) {
  bind_type<float>(m, "StepperFloat32");
  bind_type<double>(m, "StepperFloat64");
}

}  // namespace elman
