#include "bind/tensors.h"

#include <memory>

namespace elman {
namespace {

constexpr const char* attribute = "__dlpack_c_exchange_api__";

// The table of a type, of the version that is known here; null if there is none.
const dlpack::Exchange* table_of(const py::handle& type) {
  if (!py::hasattr(type, attribute)) return nullptr;
  const py::object capsule = type.attr(attribute);
  if (!PyCapsule_IsValid(capsule.ptr(), "dlpack_exchange_api")) return nullptr;
  auto* table =
      static_cast<const dlpack::Exchange*>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
  while (table && table->version.major > dlpack::major_version) table = table->older;
  return table && table->version.major == dlpack::major_version && table->look && table->take ? table
                                                                                              : nullptr;
}

// The memory of a result, in either version's words.
struct Owner {
  Buffer<char> memory;
  std::array<int64_t, 3> shape, strides;
  dlpack::Versioned versioned;
  dlpack::Managed managed;
};

}  // namespace

bool look_at_array(const py::handle& object, View* view) {
  const bool is_double = is_plain<double>(object);
  if (!is_double && !is_plain<float>(object)) return false;
  const auto array = py::reinterpret_borrow<py::array>(object);
  if (array.ndim() > 3) return false;
  *view = {array.data(), is_double, static_cast<int>(array.ndim()), {}};
  std::copy(array.shape(), array.shape() + array.ndim(), view->sizes.begin());
  return true;
}

Tensors::Tensors(const py::tuple& types, py::object negated, py::object wants_gradient, py::object give,
                 py::object take)
    : negated_(std::move(negated)),
      wants_gradient_(std::move(wants_gradient)),
      give_(std::move(give)),
      take_(std::move(take)) {
  if (types.empty()) throw py::value_error("types: expected at least one class");
  for (const py::handle& type : types) {
    if (!PyType_Check(type.ptr())) throw py::value_error("types: expected classes, got " + describe(type));
    kinds_.push_back({py::reinterpret_borrow<py::object>(type), table_of(type)});
  }
  table_ = kinds_.front().table;
}

bool Tensors::is_true(const py::object& question, const py::handle& tensor) {
  PyObject* const answer = PyObject_CallFunctionObjArgs(question.ptr(), tensor.ptr(), nullptr);
  if (!answer) throw py::error_already_set();
  Py_DECREF(answer);
  return answer == Py_True;
}

bool Tensors::view_of(const dlpack::Tensor& tensor, View* view) {
  const auto& [code, bits, lanes] = tensor.type;
  if (tensor.device.type != dlpack::cpu.type || code != dlpack::float_code || lanes != 1 ||
      (bits != 32 && bits != 64) || tensor.axes < 0 || tensor.axes > 3)
    return false;
  *view = {static_cast<const char*>(tensor.data) + tensor.offset, bits == 64, tensor.axes, {}};
  std::copy(tensor.shape, tensor.shape + tensor.axes, view->sizes.begin());
  const py::ssize_t count = view->elements();
  if (count == 0) return true;
  // Memory that was freed is null. (So is that of zeros which are nowhere.)
  if (!tensor.data || reinterpret_cast<uintptr_t>(view->data) % (bits / 8)) return false;
  py::ssize_t stride = 1;
  for (int axis = tensor.axes - 1; tensor.strides && axis >= 0; stride *= view->sizes[axis--])
    if (view->sizes[axis] != 1 && tensor.strides[axis] != stride) return false;
  return true;
}

const Tensors::Kind* Tensors::kind_of(const py::handle& object) const {
  PyObject* const type = reinterpret_cast<PyObject*>(Py_TYPE(object.ptr()));
  const auto kind =
      std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& k) { return k.type.ptr() == type; });
  return kind == kinds_.end() ? nullptr : &*kind;
}

bool Tensors::look(const py::handle& object, View* view) const {
  const Kind* const kind = kind_of(object);
  if (!kind) return false;
  try {
    if (kind->table) {
      dlpack::Tensor tensor;
      if (kind->table->look(object.ptr(), &tensor) < 0) throw py::error_already_set();
      return view_of(tensor, view) && !is_true(negated_, object);
    }
    const py::object capsule = give_(object);
    auto* managed = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
    if (!managed) throw py::error_already_set();
    return view_of(managed->tensor, view) && !is_true(negated_, object);
  } catch (py::error_already_set& error) {  // of another device or layout; interrupts are not meant
    if (!error.matches(PyExc_Exception)) throw;
    return false;
  }
}

py::object Tensors::make(Buffer<char> memory, const std::vector<py::ssize_t>& shape, int itemsize,
                         bool turned) const {
  auto owner = std::make_unique<Owner>();
  const int axes = static_cast<int>(shape.size());
  if (axes > 3) throw py::value_error("shape: expected at most three axes, got " + std::to_string(axes));
  int order[] = {0, 1, 2};
  if (turned) std::swap(order[0], order[1]);
  std::copy(shape.begin(), shape.end(), owner->shape.begin());
  int64_t stride = 1;
  for (int k = axes - 1; k >= 0; --k) {
    owner->strides[order[k]] = stride;
    stride *= owner->shape[order[k]];
  }
  owner->memory = std::move(memory);
  const dlpack::Tensor tensor{owner->memory.data(),
                              dlpack::cpu,
                              axes,
                              {dlpack::float_code, static_cast<uint8_t>(8 * itemsize), 1},
                              owner->shape.data(),
                              owner->strides.data(),
                              0};
  Owner* const raw = owner.release();
  if (table_) {
    raw->versioned = {{dlpack::major_version, 0},
                      raw,
                      [](dlpack::Versioned* one) { delete static_cast<Owner*>(one->owner); },
                      0,
                      tensor};
    void* made = nullptr;
    if (table_->take(&raw->versioned, &made) < 0) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(static_cast<PyObject*>(made));
  }
  raw->managed = {tensor, raw, [](dlpack::Managed* one) { delete static_cast<Owner*>(one->owner); }};
  const auto capsule =
      py::reinterpret_steal<py::object>(PyCapsule_New(&raw->managed, "dltensor", [](PyObject* object) {
        // Whoever took the memory has renamed the capsule.
        if (!PyCapsule_IsValid(object, "dltensor")) return;
        auto* managed = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(object, "dltensor"));
        managed->free(managed);
      }));
  return take_(capsule);
}

}  // namespace elman
