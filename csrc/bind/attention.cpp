// Dot-product attention over a memory that was packed once.
#include "layers/attention.h"

#include "bind/parts.h"

namespace elman {
namespace {

int steps_of(const py::array& array, const char* name) {
  if (array.ndim() != 3) throw py::value_error(std::string(name) + ": expected three axes");
  for (int axis = 0; axis < 3; ++axis)
    if (array.shape(axis) > INT32_MAX) throw py::value_error(std::string(name) + ": too large");
  return static_cast<int>(array.shape(0));
}

const int64_t* lengths_of(const py::object& object, int B, int steps, const char* name) {
  const int64_t* lengths = input<int64_t>(object, B, name);
  for (int b = 0; lengths && b < B; ++b)
    if (lengths[b] < 0 || lengths[b] > steps) throw py::value_error(std::string(name) + ": expected 0 to T");
  return lengths;
}

template <class T>
std::shared_ptr<PackedMemory<T>> pack_memory(const py::array_t<T, py::array::c_style>& memory,
                                             const py::object& lengths, double scale) {
  const int steps = steps_of(memory, "memory");
  const int B = static_cast<int>(memory.shape(1)), H = static_cast<int>(memory.shape(2));
  const int64_t* keys = lengths_of(lengths, B, steps, "lengths");
  const T* data = memory.data();
  const Unlocked unlocked;
  return std::make_shared<PackedMemory<T>>(current_isa(), steps, B, H, static_cast<T>(scale), data, keys);
}

// A call's queries, and the sizes of its arrays.
template <class T> struct Call {
  Queries<T> queries;
  py::ssize_t rows, query_size, weights_size, memory_size;
  Call(const PackedMemory<T>& memory, const py::array& query, const py::object& query_lengths) {
    queries.steps = steps_of(query, "query");
    rows = py::ssize_t{queries.steps} * memory.B;
    query_size = rows * memory.H;
    weights_size = rows * memory.steps;
    memory_size = py::ssize_t{memory.steps} * memory.B * memory.H;
    queries.data = input<T>(query, query_size, "query");
    queries.lengths = lengths_of(query_lengths, memory.B, queries.steps, "query_lengths");
  }
};

template <class T>
void attention(const PackedMemory<T>& memory, const py::array& query, const py::object& query_lengths,
               const py::object& weights, const py::array& context) {
  const Call<T> call(memory, query, query_lengths);
  T* w = output<T>(weights, call.weights_size, "weights");
  T* to = output<T>(context, call.query_size, "context");
  const Unlocked unlocked;
  run_attention(memory, call.queries, w, to);
}

template <class T>
void attention_backward(const PackedMemory<T>& memory, const py::array& query,
                        const py::object& query_lengths, const py::array& weights, const py::array& d_context,
                        const py::array& d_query, const py::array& d_memory) {
  const Call<T> call(memory, query, query_lengths);
  AttentionBackward<T> backward;
  backward.weights = input<T>(weights, call.weights_size, "weights");
  backward.d_context = input<T>(d_context, call.query_size, "d_context");
  backward.d_query = output<T>(d_query, call.query_size, "d_query");
  backward.d_memory = output<T>(d_memory, call.memory_size, "d_memory");
  const Unlocked unlocked;
  run_attention_backward(memory, call.queries, backward);
}

template <class T> void bind_type(py::module_& m, const char* packed) {
  py::class_<PackedMemory<T>, std::shared_ptr<PackedMemory<T>>>(m, packed);
  m.def("pack_memory", &pack_memory<T>, py::arg("memory").noconvert(), py::arg("lengths"), py::arg("scale"));
  m.def("attention", &attention<T>, py::arg("packed"), py::arg("query"), py::arg("query_lengths"),
        py::arg("weights"), py::arg("context"));
  m.def("attention_backward", &attention_backward<T>, py::arg("packed"), py::arg("query"),
        py::arg("query_lengths"), py::arg("weights"), py::arg("d_context"), py::arg("d_query"),
        py::arg("d_memory"));
}

}  // namespace

void bind_attention(py::module_& m) {
  bind_type<float>(m, "PackedMemoryFloat32");
  bind_type<double>(m, "PackedMemoryFloat64");
}

}  // namespace elman
