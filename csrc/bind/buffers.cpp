// The engine's buffers as NumPy arrays.
#include <pybind11/stl.h>

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

void bind_buffers(py::module_& m) { m.def("empty", &empty, py::arg("shape"), py::arg("dtype")); }

}  // namespace elman
