// NumPy arrays as the pointers the engine takes. The Python layer has worded every refusal for the user
// already; these checks make sure that no call, however made, reads or writes outside an array.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

namespace elman {

namespace py = pybind11;

template <class T> const char* type_name();
template <> inline const char* type_name<float>() { return "float32"; }
template <> inline const char* type_name<double>() { return "float64"; }
template <> inline const char* type_name<int64_t>() { return "int64"; }
template <> inline const char* type_name<bool>() { return "bool"; }

// The data of a C-contiguous array of T with `size` elements, or null for None.
template <class T> T* pointer(const py::handle& object, py::ssize_t size, const char* name, bool writes) {
  if (object.is_none()) return nullptr;
  if (py::isinstance<py::array_t<T, py::array::c_style>>(object)) {
    auto array = py::reinterpret_borrow<py::array>(object);
    if (array.size() == size && (!writes || array.writeable()))
      return static_cast<T*>(const_cast<void*>(array.data()));
  }
  throw py::value_error(std::string(name) + ": expected a" + (writes ? " writeable" : "") + " C-contiguous " +
                        type_name<T>() + " array of " + std::to_string(size) + " elements");
}

template <class T> const T* input(const py::handle& object, py::ssize_t size, const char* name) {
  return pointer<T>(object, size, name, false);
}

template <class T> T* output(const py::handle& object, py::ssize_t size, const char* name) {
  return pointer<T>(object, size, name, true);
}

}  // namespace elman
