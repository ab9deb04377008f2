// The engine's buffers as NumPy arrays.
#include <pybind11/stl.h>

#include <cstring>

#include "bind/parts.h"
#include "machine/buffer.h"

namespace elman {

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
}

}  // namespace elman
