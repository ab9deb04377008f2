#include "bind/arrays.h"

#include <algorithm>
#include <limits>

namespace elman {

std::string describe(const py::handle& object) {
  if (!py::isinstance<py::array>(object)) return py::str(py::type::of(object).attr("__name__"));
  const auto array = py::reinterpret_borrow<py::array>(object);
  std::string text = py::str(array.dtype()).cast<std::string>() + " [";
  for (py::ssize_t i = 0; i < array.ndim(); ++i) text += (i ? ", " : "") + std::to_string(array.shape(i));
  text += "]";
  if (!(array.flags() & py::array::c_style)) text += ", not C-contiguous";
  if (!(array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_)) text += ", not aligned";
  if (!array.writeable()) text += ", read-only";
  return text;
}

constexpr py::ssize_t uncounted = std::numeric_limits<py::ssize_t>::max();

py::ssize_t elements(const py::ssize_t* sizes, std::size_t count) {
  if (std::find(sizes, sizes + count, 0) != sizes + count) return 0;
  py::ssize_t product = 1;
  for (std::size_t i = 0; i < count; ++i)
    if (__builtin_mul_overflow(product, sizes[i], &product)) return uncounted;
  return product;
}

std::size_t checked_bytes(const std::vector<py::ssize_t>& shape, py::ssize_t itemsize) {
  for (const py::ssize_t size : shape)
    if (size < 0) throw py::value_error("shape: expected no negative sizes, got " + std::to_string(size));
  const py::ssize_t bytes = elements({elements(shape.data(), shape.size()), itemsize});
  if (bytes == uncounted) throw py::value_error("shape: expected fewer elements than these");
  return bytes;
}

int checked_size(py::ssize_t size, int least, const char* name) {
  if (size < least || size > largest_size)
    throw py::value_error(std::string(name) + ": expected sizes from " + std::to_string(least) + " to " +
                          std::to_string(largest_size) + ", got " + std::to_string(size));
  return static_cast<int>(size);
}

std::vector<py::ssize_t> checked_shape(const py::array& array, py::ssize_t axes, const char* name) {
  static const char* const words[] = {"no", "one", "two", "three"};
  if (array.ndim() != axes)
    throw py::value_error(std::string(name) + ": expected " + words[axes] + " axes, got " + describe(array));
  return {array.shape(), array.shape() + axes};
}

void check_within(const int64_t* values, int64_t count, int64_t least, int64_t most, const char* name) {
  for (int64_t i = 0; i < count; ++i)
    if (values[i] < least || values[i] > most)
      throw py::value_error(std::string(name) + ": expected " + std::to_string(least) + " to " +
                            std::to_string(most) + ", got " + std::to_string(values[i]));
}

}  // namespace elman
