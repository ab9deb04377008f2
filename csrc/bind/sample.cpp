// A sample of some arrays' values, to notice that somebody has written to them. It watches the weights behind
// a packed copy where the framework's own version counts can be passed by (in PyTorch: writing through
// `.data`).
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "bind/parts.h"

namespace elman {
namespace {

// Values compared per array, evenly spaced, by an odd step so that they fall into all columns of a matrix.
// Few, because in large weights each is a page of its own: 32 of each of 8 weights of 4 MB took 50 us.
constexpr py::ssize_t most_values = 8;

class Sample {
 public:
  explicit Sample(const std::vector<py::array>& arrays) {
    for (const py::array& array : arrays) {
      if (!(array.flags() & py::array::c_style)) throw py::value_error("arrays: expected C-contiguous ones");
      const py::ssize_t step = (array.size() / most_values | 1) * array.itemsize();
      watched_.push_back(
          {array, static_cast<const char*>(array.data()), array.nbytes(), step, array.itemsize()});
    }
    visit([&](const char* value, size_t bytes) {
      values_.insert(values_.end(), value, value + bytes);
      return true;
    });
  }

  bool unchanged() const {
    const char* was = values_.data();
    return visit([&](const char* value, size_t bytes) {
      const bool same = std::memcmp(value, was, bytes) == 0;
      was += bytes;
      return same;
    });
  }

 private:
  struct Watched {
    py::array owner;
    const char* data;
    py::ssize_t bytes, step, itemsize;
  };

  template <class F> bool visit(const F& f) const {
    for (const Watched& w : watched_)
      for (py::ssize_t at = 0; at < w.bytes; at += w.step)
        if (!f(w.data + at, w.itemsize)) return false;
    return true;
  }

  std::vector<Watched> watched_;
  std::vector<char> values_;
};

}  // namespace

void bind_sample(py::module_& m) {
  py::class_<Sample>(m, "Sample")
      .def(py::init<const std::vector<py::array>&>(), py::arg("arrays"))
      .def("unchanged", &Sample::unchanged);
}

}  // namespace elman
