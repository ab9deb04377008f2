// What stands beside the recurrent layers: linear layers, embeddings, the softmax.
#include "bind/parts.h"
#include "kernels/dispatch.h"
#include "layers/embedding.h"
#include "layers/linear.h"
#include "layers/softmax.h"

namespace elman {
namespace {

template <class T> using Array = py::array_t<T, py::array::c_style>;
template <class T> using Linear = std::shared_ptr<PackedLinear<T>>;

// The rows of an array [..., columns].
py::ssize_t rows_of(const py::array& array, int columns, const char* name) {
  if (array.ndim() < 1 || array.shape(array.ndim() - 1) != columns)
    throw py::value_error(std::string(name) + ": expected [..., " + std::to_string(columns) + "], got " +
                          describe(array));
  return array.size() / columns;
}

// A weight [O, I], and what lies beside it.
template <class T> struct Weight {
  int O, I;
  const T* data;
  explicit Weight(const Array<T>& array) {
    const auto shape = checked_shape(array, 2, "weight");
    O = checked_size(shape[0], 1, "weight");
    I = checked_size(shape[1], 1, "weight");
    data = input<T>(array, elements({O, I}), "weight");
  }
};

template <class T> Linear<T> pack_linear(const Array<T>& array, const py::object& bias) {
  const Weight<T> weight(array);
  const T* bias_data = maybe_input<T>(bias, weight.O, "bias");
  const Unlocked unlocked;
  return std::make_shared<PackedLinear<T>>(current_isa(), weight.I, weight.O, weight.data, bias_data);
}

template <class T> void linear(const Linear<T>& linear, const py::array& x, const py::array& y) {
  const PackedLinear<T>& packed = held(linear, "packed");
  const py::ssize_t N = rows_of(x, packed.I, "x");
  const T* from = input<T>(x, elements({N, packed.I}), "x");
  T* to = output<T>(y, elements({N, packed.O}), "y");
  const Unlocked unlocked;
  run_linear(packed, from, to, N);
}

template <class T>
void linear_backward(const Array<T>& array, const py::array& x, const py::array& dy, const py::object& dx,
                     const py::object& d_weight, const py::object& d_bias) {
  const Weight<T> weight(array);
  LinearBackward<T> call;
  call.I = weight.I;
  call.O = weight.O;
  call.N = rows_of(x, weight.I, "x");
  if (call.N > INT32_MAX) throw py::value_error("x: expected at most 2147483647 rows, got " + describe(x));
  call.weight = weight.data;
  call.x = input<T>(x, elements({call.N, call.I}), "x");
  call.dy = input<T>(dy, elements({call.N, call.O}), "dy");
  call.dx = maybe_output<T>(dx, elements({call.N, call.I}), "dx");
  call.d_weight = maybe_output<T>(d_weight, elements({call.O, call.I}), "d_weight");
  call.d_bias = maybe_output<T>(d_bias, call.O, "d_bias");
  if (call.d_bias && !call.d_weight) throw py::value_error("d_weight: expected an array beside d_bias");
  const Unlocked unlocked;
  run_linear_backward(call);
}

template <class T> void add_rows(const Array<T>& table, const py::array& index, const py::array& rows) {
  const auto shape = checked_shape(table, 2, "table");
  const py::ssize_t N = index.size();
  T* to = output<T>(table, elements({shape[0], shape[1]}), "table");
  const T* from = input<T>(rows, elements({N, shape[1]}), "rows");
  const Copy<int64_t> at = copied<int64_t>(index, N, "index");
  check_within(at.data(), N, 0, shape[0] - 1, "index");
  const Unlocked unlocked;
  run_add_rows(to, at.data(), from, N, shape[1]);
}

template <class T> void softmax(const Array<T>& x, const py::array& p) {
  const auto shape = checked_shape(x, 2, "x");
  const int C = checked_size(shape[1], 0, "x");
  const T* from = input<T>(x, elements({shape[0], C}), "x");
  T* to = output<T>(p, elements({shape[0], C}), "p");
  const Unlocked unlocked;
  run_softmax(from, to, shape[0], C);
}

template <class T> void bind_type(py::module_& m, const char* packed) {
  py::class_<PackedLinear<T>, Linear<T>>(m, packed);
  m.def("pack_linear", &pack_linear<T>, py::arg("weight").noconvert(), py::arg("bias"));
  m.def("linear", &linear<T>, py::arg("packed"), py::arg("x"), py::arg("y"));
  m.def("linear_backward", &linear_backward<T>, py::arg("weight").noconvert(), py::arg("x"), py::arg("dy"),
        py::arg("dx"), py::arg("d_weight"), py::arg("d_bias"));
  m.def("add_rows", &add_rows<T>, py::arg("table").noconvert(), py::arg("index"), py::arg("rows"));
  m.def("softmax", &softmax<T>, py::arg("x").noconvert(), py::arg("p"));
}

}  // namespace

void bind_layers(py::module_& m) {
  bind_type<float>(m, "PackedLinearFloat32");
  bind_type<double>(m, "PackedLinearFloat64");
}

}  // namespace elman
