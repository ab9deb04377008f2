// What stands around the recurrent layers: linear layers, embeddings, the softmax and its loss.
#include "bind/parts.h"
#include "engine/dispatch.h"
#include "layers/embedding.h"
#include "layers/linear.h"
#include "train/cross_entropy.h"

namespace elman {
namespace {

// An array of two axes: its sizes.
struct Sizes {
  py::ssize_t rows, columns;
  Sizes(const py::array& array, const char* name) {
    if (array.ndim() != 2) throw py::value_error(std::string(name) + ": expected two axes");
    rows = array.shape(0);
    columns = array.shape(1);
    if (rows > INT32_MAX || columns > INT32_MAX) throw py::value_error(std::string(name) + ": too large");
  }
};

template <class T> using Array = py::array_t<T, py::array::c_style>;

template <class T>
std::shared_ptr<PackedLinear<T>> pack_linear(const Array<T>& weight, const py::object& bias) {
  const Sizes sizes(weight, "weight");
  const T* bias_data = input<T>(bias, sizes.rows, "bias");
  const T* data = weight.data();
  const Unlocked unlocked;
  return std::make_shared<PackedLinear<T>>(current_isa(), static_cast<int>(sizes.columns),
                                           static_cast<int>(sizes.rows), data, bias_data);
}

template <class T> void linear(const PackedLinear<T>& packed, const py::array& x, const py::array& y) {
  const py::ssize_t N = x.size() / packed.I;
  const T* from = input<T>(x, N * packed.I, "x");
  T* to = output<T>(y, N * packed.O, "y");
  const Unlocked unlocked;
  run_linear(packed, from, to, N);
}

template <class T>
void linear_backward(const Array<T>& weight, const py::array& x, const py::array& dy, const py::object& dx,
                     const py::array& d_weight, const py::object& d_bias) {
  const Sizes sizes(weight, "weight");
  LinearBackward<T> call;
  call.I = static_cast<int>(sizes.columns);
  call.O = static_cast<int>(sizes.rows);
  call.N = x.size() / sizes.columns;
  if (call.N > INT32_MAX) throw py::value_error("x: too large");
  call.weight = weight.data();
  call.x = input<T>(x, call.N * call.I, "x");
  call.dy = input<T>(dy, call.N * call.O, "dy");
  call.dx = output<T>(dx, call.N * call.I, "dx");
  call.d_weight = output<T>(d_weight, sizes.rows * sizes.columns, "d_weight");
  call.d_bias = output<T>(d_bias, sizes.rows, "d_bias");
  const Unlocked unlocked;
  run_linear_backward(call);
}

template <class T> void add_rows(const Array<T>& table, const py::array& index, const py::array& rows) {
  const Sizes sizes(table, "table");
  const py::ssize_t N = index.size();
  T* to = output<T>(table, table.size(), "table");
  const int64_t* at = input<int64_t>(index, N, "index");
  const T* from = input<T>(rows, N * sizes.columns, "rows");
  for (py::ssize_t n = 0; n < N; ++n)
    if (at[n] < 0 || at[n] >= sizes.rows) throw py::value_error("index: expected rows of the table");
  const Unlocked unlocked;
  scatter_add(to, at, from, N, sizes.columns);
}

template <class T>
double cross_entropy(const Array<T>& logits, const py::array& target, const py::object& mask,
                     double smoothing, double scale, const py::object& d_logits) {
  const Sizes sizes(logits, "logits");
  CrossEntropy<T> call;
  call.N = sizes.rows;
  call.C = static_cast<int>(sizes.columns);
  call.logits = logits.data();
  call.target = input<int64_t>(target, call.N, "target");
  call.mask = input<bool>(mask, call.N, "mask");
  call.smoothing = smoothing;
  call.scale = static_cast<T>(scale);
  call.d_logits = output<T>(d_logits, call.N * call.C, "d_logits");
  for (int64_t n = 0; n < call.N; ++n)
    if ((!call.mask || call.mask[n]) && (call.target[n] < 0 || call.target[n] >= call.C))
      throw py::value_error("target: expected classes");
  const Unlocked unlocked;
  return run_cross_entropy(call);
}

template <class T> void softmax(const Array<T>& x, const py::array& p) {
  const Sizes sizes(x, "x");
  const T* from = x.data();
  T* to = output<T>(p, x.size(), "p");
  const Unlocked unlocked;
  run_softmax(from, to, sizes.rows, static_cast<int>(sizes.columns));
}

template <class T> void bind_type(py::module_& m, const char* packed) {
  py::class_<PackedLinear<T>, std::shared_ptr<PackedLinear<T>>>(m, packed);
  m.def("pack_linear", &pack_linear<T>, py::arg("weight").noconvert(), py::arg("bias"));
  m.def("linear", &linear<T>, py::arg("packed"), py::arg("x"), py::arg("y"));
  m.def("linear_backward", &linear_backward<T>, py::arg("weight").noconvert(), py::arg("x"), py::arg("dy"),
        py::arg("dx"), py::arg("d_weight"), py::arg("d_bias"));
  m.def("add_rows", &add_rows<T>, py::arg("table").noconvert(), py::arg("index"), py::arg("rows"));
  m.def("cross_entropy", &cross_entropy<T>, py::arg("logits").noconvert(), py::arg("target"), py::arg("mask"),
        py::arg("smoothing"), py::arg("scale"), py::arg("d_logits"));
  m.def("softmax", &softmax<T>, py::arg("x").noconvert(), py::arg("p"));
}

}  // namespace

void bind_around(py::module_& m) {
  bind_type<float>(m, "PackedLinearFloat32");
  bind_type<double>(m, "PackedLinearFloat64");
}

}  // namespace elman
