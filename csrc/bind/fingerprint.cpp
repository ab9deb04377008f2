// What tells whether weights are still those that were packed.
#include <pybind11/stl.h>

#include "bind/parts.h"
#include "engine/fingerprints.h"

namespace elman {
namespace {

uint64_t fingerprint(const std::vector<py::array>& arrays) {
  std::vector<Bytes> bytes;
  bytes.reserve(arrays.size());
  for (const py::array& array : arrays) {
    if (!(array.flags() & py::array::c_style)) throw py::value_error("arrays: expected C-contiguous ones");
    bytes.push_back({static_cast<const char*>(array.data()), array.nbytes()});
  }
  const Unlocked unlocked;
  return run_fingerprint(bytes);
}

}  // namespace

void bind_fingerprint(py::module_& m) { m.def("fingerprint", &fingerprint, py::arg("arrays")); }

}  // namespace elman
