// Tensors of a library such as PyTorch, read where they lie and made in the engine's memory, without NumPy
// between.
#pragma once

#include <algorithm>
#include <array>

#include "bind/dlpack.h"
#include "bind/parts.h"
#include "machine/buffer.h"

namespace elman {

// What kernels can read: a C-contiguous tensor of float32 or float64 in main memory, of at most 3 axes.
struct View {
  const void* data = nullptr;
  bool is_double = false;
  int axes = 0;
  std::array<py::ssize_t, 3> sizes{};

  // The data, if these are the type and the shape.
  template <class T> bool is(const std::vector<py::ssize_t>& shape, const T** to) const {
    if (is_double != std::is_same_v<T, double> || axes != static_cast<int>(shape.size()) ||
        !std::equal(shape.begin(), shape.end(), sizes.begin()))
      return false;
    *to = static_cast<const T*>(data);
    return true;
  }
  py::ssize_t elements() const { return elman::elements(sizes.data(), axes); }
  std::vector<py::ssize_t> shape() const { return {sizes.begin(), sizes.begin() + axes}; }
};

// The same of a NumPy array.
bool look_at_array(const py::handle& object, View* view);

// A library's tensors.
class Tensors {
 public:
  // `types`: the classes; their subclasses are not read. `negated(tensor)`: whether its numbers are read with
  // the other sign, which no table says. `wants_gradient(tensor)`. `give(tensor)` and `take(capsule)`: DLPack
  // of version 0, for types without a table.
  Tensors(const py::tuple& types, py::object negated, py::object wants_gradient, py::object give,
          py::object take);

  // False if it is something else than a View can tell. That is no error: the caller knows another way.
  bool look(const py::handle& object, View* view) const;

  // Whether it is of one of the classes. Of others nothing may be asked: they can answer with an error.
  bool reads(const py::handle& object) const { return kind_of(object) != nullptr; }

  bool wants_gradient(const py::handle& tensor) const { return is_true(wants_gradient_, tensor); }

  // A tensor that owns this memory. Any thread can free it, without Python: to free a NumPy array a thread
  // needs the interpreter, and while the process ends another library's thread would not get it. `turned`:
  // its first two axes lie the other way round there.
  py::object make(Buffer<char> memory, const std::vector<py::ssize_t>& shape, int itemsize,
                  bool turned = false) const;

 private:
  struct Kind {
    py::object type;
    const dlpack::Exchange* table;  // or null
  };
  const Kind* kind_of(const py::handle& object) const;
  static bool is_true(const py::object& question, const py::handle& tensor);
  static bool view_of(const dlpack::Tensor& tensor, View* view);

  std::vector<Kind> kinds_;
  const dlpack::Exchange* table_;  // of the first type
  const py::object negated_, wants_gradient_, give_, take_;
};

}  // namespace elman
