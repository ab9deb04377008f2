// The engine's buffers as NumPy arrays and as DLPack capsules (the array interface of dlpack.org, version 0).
// Whoever takes a capsule can free it from any thread, without Python. To free a NumPy array a thread needs
// the interpreter, and while the process ends another library's thread would not get it.
#include <pybind11/stl.h>

#include <cstring>

#include "bind/parts.h"
#include "machine/buffer.h"

namespace elman {
namespace {

struct Device {
  int32_t type, id;
};
constexpr Device cpu{1, 0};

struct DataType {
  uint8_t code, bits;
  uint16_t lanes;
};
constexpr uint8_t float_code = 2;

struct Tensor {
  void* data;
  Device device;
  int32_t dimensions;
  DataType type;
  int64_t *shape, *strides;
  uint64_t byte_offset;
};

struct Managed {
  Tensor tensor;
  void* owner;
  void (*free)(Managed*);
};

struct Owner {
  Managed managed;
  Buffer<char> memory;
  std::vector<int64_t> shape;
};

py::capsule empty_dlpack(const std::vector<py::ssize_t>& shape, int bytes) {
  if (bytes != 4 && bytes != 8) throw py::value_error("bytes: expected 4 or 8");
  auto* owner = new Owner{{}, Buffer<char>(checked_bytes(shape, bytes)), {shape.begin(), shape.end()}};
  const DataType type{float_code, static_cast<uint8_t>(8 * bytes), 1};
  owner->managed.tensor = {
      owner->memory.data(), cpu, static_cast<int32_t>(shape.size()), type, owner->shape.data(), nullptr, 0};
  owner->managed.owner = owner;
  owner->managed.free = [](Managed* m) { delete static_cast<Owner*>(m->owner); };
  return py::reinterpret_steal<py::capsule>(PyCapsule_New(&owner->managed, "dltensor", [](PyObject* capsule) {
    // Whoever took the memory has renamed the capsule.
    if (!PyCapsule_IsValid(capsule, "dltensor")) return;
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, "dltensor"));
    managed->free(managed);
  }));
}

}  // namespace

py::array empty(const std::vector<py::ssize_t>& shape, const py::dtype& dtype) {
  if (dtype.kind() != 'f') throw py::value_error("dtype: expected one of floating-point numbers");
  auto buffer = std::make_unique<Buffer<char>>(checked_bytes(shape, dtype.itemsize()));
  char* const data = buffer->data();
  const py::capsule owner(buffer.get(), [](void* p) { delete static_cast<Buffer<char>*>(p); });
  buffer.release();
  return py::array(dtype, shape, data, owner);
}

namespace {

std::vector<py::ssize_t> as_shape(const py::handle& object) {
  py::detail::make_caster<std::vector<py::ssize_t>> sizes;
  if (!sizes.load(object, true))
    throw py::value_error("shapes: expected one of whole numbers, got " + describe(object));
  return py::detail::cast_op<std::vector<py::ssize_t>>(sizes);
}

// Zeros of each shape of a nest [layer][direction][weight]: the same nest of arrays, in which None stays
// None. A call of `empty` for each takes longer than a small backward pass.
py::list zeros_of(const py::handle& shapes, const py::dtype& dtype, int level) {
  if (!py::isinstance<py::list>(shapes))
    throw py::value_error("shapes: expected lists [layer][direction][weight], got " + describe(shapes));
  py::list made;
  for (const py::handle& part : py::reinterpret_borrow<py::list>(shapes)) {
    if (level > 1) made.append(zeros_of(part, dtype, level - 1));
    else if (part.is_none()) made.append(py::none());
    else {
      py::array array = empty(as_shape(part), dtype);
      std::memset(array.mutable_data(), 0, array.nbytes());
      made.append(std::move(array));
    }
  }
  return made;
}

}  // namespace

void bind_buffers(py::module_& m) {
  m.def("empty", &empty, py::arg("shape"), py::arg("dtype"));
  m.def(
      "zeros", [](const py::object& shapes, const py::dtype& dtype) { return zeros_of(shapes, dtype, 3); },
      py::arg("shapes"), py::arg("dtype"));
  m.def("empty_dlpack", &empty_dlpack, py::arg("shape"), py::arg("bytes"));
}

}  // namespace elman
