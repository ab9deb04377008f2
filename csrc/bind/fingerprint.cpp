// What tells whether weights are still those that were packed.
#include <pybind11/stl.h>

#include "bind/parts.h"
#include "engine/fingerprints.h"

namespace elman {
namespace {

template <class T> Bytes bytes_of(const py::array& array) {
  const T* data = input<T>(array, array.size(), "arrays");
  return {reinterpret_cast<const char*>(data), array.nbytes()};
}

// Of weights, as the calls that pack them take them.
uint64_t fingerprint(const std::vector<py::array>& arrays) {
  std::vector<Bytes> bytes;
  bytes.reserve(arrays.size());
  for (const py::array& array : arrays)
    bytes.push_back(py::isinstance<py::array_t<double>>(array) ? bytes_of<double>(array)
                                                               : bytes_of<float>(array));
  const Unlocked unlocked;
  return run_fingerprint(bytes);
}

}  // namespace

void bind_fingerprint(py::module_& m) { m.def("fingerprint", &fingerprint, py::arg("arrays")); }

}  // namespace elman
