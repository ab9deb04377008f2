// Threads, the engine's own or another library's, and the limits of the machine that they reach together.
#include "engine/threads.h"

#include <pybind11/stl.h>

#include <optional>

#include "bind/parts.h"
#include "engine/dispatch.h"
#include "engine/processors.h"

#if !defined(_WIN32)
#include <dlfcn.h>
#endif

namespace elman {
namespace {

// GNU's entry points, which the libraries of Intel and LLVM have too. They are found here and not by the
// caller, from whom an address would have to be believed.
bool borrow(const std::optional<std::string>& path) {
#if defined(_WIN32)
  return false;
#else
  void* const library = dlopen(path ? path->c_str() : nullptr, RTLD_NOW | RTLD_LOCAL);
  if (!library) return false;
  const auto find = [&](const char* name, auto*& entry) {
    entry = reinterpret_cast<std::remove_reference_t<decltype(entry)> >(dlsym(library, name));
    return entry != nullptr;
  };
  Lender lender;
  if (!find("GOMP_parallel", lender.parallel) || !find("omp_get_thread_num", lender.thread) ||
      !find("omp_get_num_threads", lender.threads))
    return dlclose(library), false;
  borrow_threads(lender);
  return true;
#endif
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

}  // namespace

int checked_threads(int n) {
  if (n < 1 || n > most_threads)
    throw py::value_error("threads: expected 1 to " + std::to_string(most_threads) + ", got " +
                          std::to_string(n));
  return n;
}

void bind_threads(py::module_& m) {
  m.attr("MOST_THREADS") = most_threads;
  m.def("num_threads", &num_threads);
  m.def("set_num_threads", [](int n) { set_num_threads(checked_threads(n)); }, py::arg("n"));
  m.def("processors", &processors);
  m.def("quota_processors", &quota_processors, py::arg("root"));
  m.def("borrow_threads", &borrow, py::arg("library"));
  m.def("measure_peak", &peak, py::arg("threads"), py::arg("dtype"));
  m.def("measure_bandwidth", &bandwidth, py::arg("threads"), py::arg("bytes"));
}

}  // namespace elman
