// Dot-product attention over a memory that is packed once.
#include "layers/attention.h"

#include "bind/parts.h"

namespace elman {
namespace {

template <class T> using Memory = std::shared_ptr<PackedMemory<T>>;

struct Shape {
  int steps, B, H;
  Shape(const py::array& array, const char* name) {
    const auto shape = checked_shape(array, 3, name);
    for (const py::ssize_t size : shape)
      if (size > INT32_MAX) throw py::value_error(std::string(name) + ": too large, got " + describe(array));
    steps = static_cast<int>(shape[0]);
    B = static_cast<int>(shape[1]);
    H = checked_size(shape[2], 1, name);
  }
};

Copy<int64_t> lengths_of(const py::object& object, int B, int steps, const char* name) {
  Copy<int64_t> lengths = maybe_copied<int64_t>(object, B, name);
  check_within(lengths.data(), lengths.size(), 0, steps, name);
  return lengths;
}

template <class T>
Memory<T> pack_memory(const py::array_t<T, py::array::c_style>& memory, const py::object& lengths,
                      double scale) {
  const Shape shape(memory, "memory");
  const T* data = input<T>(memory, elements({shape.steps, shape.B, shape.H}), "memory");
  const Copy<int64_t> keys = lengths_of(lengths, shape.B, shape.steps, "lengths");
  const Unlocked unlocked;
  return std::make_shared<PackedMemory<T>>(current_isa(), shape.steps, shape.B, shape.H,
                                           static_cast<T>(scale), data, keys.data());
}

// A call's queries, and the sizes of its arrays.
template <class T> struct Call {
  Copy<int64_t> lengths;
  Queries<T> queries;
  py::ssize_t query_size, weights_size, memory_size;
  Call(const PackedMemory<T>& memory, const py::array& query, const py::object& query_lengths) {
    queries.steps = Shape(query, "query").steps;
    query_size = elements({queries.steps, memory.B, memory.H});
    weights_size = elements({queries.steps, memory.B, memory.steps});
    memory_size = elements({memory.steps, memory.B, memory.H});
    queries.data = input<T>(query, query_size, "query");
    lengths = lengths_of(query_lengths, memory.B, queries.steps, "query_lengths");
    queries.lengths = lengths.data();
  }
};

template <class T>
void attention(const Memory<T>& packed, const py::array& query, const py::object& query_lengths,
               const py::object& weights, const py::array& context) {
  const PackedMemory<T>& memory = held(packed, "packed");
  const Call<T> call(memory, query, query_lengths);
  T* w = maybe_output<T>(weights, call.weights_size, "weights");
  T* to = output<T>(context, call.query_size, "context");
  const Unlocked unlocked;
  run_attention(memory, call.queries, w, to);
}

template <class T>
void attention_backward(const Memory<T>& packed, const py::array& query, const py::object& query_lengths,
                        const py::array& weights, const py::array& d_context, const py::array& d_query,
                        const py::array& d_memory) {
  const PackedMemory<T>& memory = held(packed, "packed");
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
  py::class_<PackedMemory<T>, Memory<T>>(m, packed);
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
