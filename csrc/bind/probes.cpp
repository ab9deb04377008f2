// The fingerprint of weights, and what the machine can do at most.
#include <pybind11/stl.h>

#include "bind/parts.h"
#include "probes/fingerprint.h"
#include "probes/rates.h"

namespace elman {
namespace {

template <class T> Bytes bytes_of(const py::array& array) {
  const T* data = input<T>(array, array.size(), "arrays");
  return {reinterpret_cast<const char*>(data), array.nbytes()};
}

// Of arrays of weights, each of float32 or float64.
uint64_t fingerprint(const std::vector<py::array>& arrays) {
  std::vector<Bytes> bytes;
  bytes.reserve(arrays.size());
  for (const py::array& array : arrays)
    bytes.push_back(py::isinstance<py::array_t<double>>(array) ? bytes_of<double>(array)
                                                               : bytes_of<float>(array));
  const Unlocked unlocked;
  return run_fingerprint(bytes);
}

double peak(int threads, const std::string& dtype) {
  if (dtype != "float32" && dtype != "float64")
    throw py::value_error("dtype: expected 'float32' or 'float64', got '" + dtype + "'");
  checked_threads(threads);
  const Unlocked unlocked;
  return dtype == "float64" ? measure_peak<double>(threads) : measure_peak<float>(threads);
}

double bandwidth(int threads, py::ssize_t bytes) {
  checked_threads(threads);
  if (bytes < 0) throw py::value_error("bytes: expected at least 0, got " + std::to_string(bytes));
  const Unlocked unlocked;
  return measure_bandwidth(threads, bytes);
}

template <double (*measure)(int)> double of_threads(int threads) {
  checked_threads(threads);
  const Unlocked unlocked;
  return measure(threads);
}

}  // namespace

void bind_probes(py::module_& m) {
  m.def("fingerprint", &fingerprint, py::arg("arrays"));
  m.def("measure_peak", &peak, py::arg("threads"), py::arg("dtype"));
  m.def("measure_dispatch", &of_threads<measure_dispatch>, py::arg("threads"));
  m.def("measure_barrier", &of_threads<measure_barrier>, py::arg("threads"));
  m.def("measure_bandwidth", &bandwidth, py::arg("threads"), py::arg("bytes"));
}

}  // namespace elman
