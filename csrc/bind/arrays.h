// NumPy arrays as the pointers that the engine takes. The Python layer has refused wrong arguments already,
// in the user's words. The checks here make sure that no call, however it is made, reads or writes outside an
// array.
//
// What the engine uses as an index (lengths, classes, tokens, marks of steps) is copied first, and the copy
// is checked: another thread may write to the caller's array as soon as Python's lock is released.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

namespace elman {

namespace py = pybind11;

template <class T> const char* type_name();
template <> inline const char* type_name<float>() { return "float32"; }
template <> inline const char* type_name<double>() { return "float64"; }
template <> inline const char* type_name<int64_t>() { return "int64"; }
template <> inline const char* type_name<bool>() { return "bool"; }

// What came, for the message that refuses it: its type and shape, and what is unusual about its memory.
std::string describe(const py::handle& object);

// How many elements an array of these sizes has. If that overflows: more than any array has.
py::ssize_t elements(const py::ssize_t* sizes, std::size_t count);
inline py::ssize_t elements(std::initializer_list<py::ssize_t> sizes) {
  return elements(sizes.begin(), sizes.size());
}

// The bytes of a new array of this shape.
std::size_t checked_bytes(const std::vector<py::ssize_t>& shape, py::ssize_t itemsize);

// A size that the engine takes as an int: at least `least`, and so small that a few times as much fits too.
constexpr int largest_size = 1 << 28;
int checked_size(py::ssize_t size, int least, const char* name);

// The shape of an array of so many axes.
std::vector<py::ssize_t> checked_shape(const py::array& array, py::ssize_t axes, const char* name);

// Whether it is an array of T that kernels can read: C-contiguous and aligned.
template <class T> bool is_plain(const py::handle& object) {
  return py::isinstance<py::array_t<T, py::array::c_style>>(object) &&
         (py::reinterpret_borrow<py::array>(object).flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_);
}

// The data of such an array with `size` elements.
template <class T> T* pointer(const py::handle& object, py::ssize_t size, const char* name, bool writes) {
  if (is_plain<T>(object)) {
    const auto array = py::reinterpret_borrow<py::array>(object);
    if (array.size() == size && (!writes || array.writeable()))
      return static_cast<T*>(const_cast<void*>(array.data()));
  }
  throw py::value_error(std::string(name) + ": expected a" + (writes ? " writeable" : "") + " C-contiguous " +
                        type_name<T>() + " array of " + std::to_string(size) + " elements, got " +
                        describe(object));
}

template <class T> const T* input(const py::handle& object, py::ssize_t size, const char* name) {
  return pointer<T>(object, size, name, false);
}

template <class T> T* output(const py::handle& object, py::ssize_t size, const char* name) {
  return pointer<T>(object, size, name, true);
}

// The same for what may be left out: null for None.
template <class T> const T* maybe_input(const py::handle& object, py::ssize_t size, const char* name) {
  return object.is_none() ? nullptr : input<T>(object, size, name);
}

template <class T> T* maybe_output(const py::handle& object, py::ssize_t size, const char* name) {
  return object.is_none() ? nullptr : output<T>(object, size, name);
}

// A copy of such an array. Booleans are copied as bytes: NumPy may hold a byte of 2, which no bool of C++ may
// be.
template <class T> using Copy = std::vector<std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>>;

template <class T> Copy<T> copied(const py::handle& object, py::ssize_t size, const char* name) {
  const auto* data = reinterpret_cast<const typename Copy<T>::value_type*>(input<T>(object, size, name));
  return Copy<T>(data, data + size);
}

// For None an empty copy, whose data() is null.
template <class T> Copy<T> maybe_copied(const py::handle& object, py::ssize_t size, const char* name) {
  return object.is_none() ? Copy<T>() : copied<T>(object, size, name);
}

// Refuses what does not lie in [least, most].
void check_within(const int64_t* values, int64_t count, int64_t least, int64_t most, const char* name);

// What the holder holds; refuses one that holds nothing, as for None.
template <class Holder> auto& held(const Holder& object, const char* name) {
  if (!object) throw py::value_error(std::string(name) + ": expected none to be None");
  return *object;
}

}  // namespace elman
