// Threads, the engine's own or another library's, and what they run on.
#include "machine/threads.h"

#include <pybind11/stl.h>

#include <optional>

#include "bind/parts.h"
#include "machine/caches.h"
#include "machine/processors.h"

#if !defined(_WIN32)
#include <dlfcn.h>
#endif

namespace elman {
namespace {

// GNU's entry points, which the libraries of Intel and LLVM have too. They are looked up here: an address
// from the caller could not be checked.
bool borrow(const std::optional<std::string>& path) {
#if defined(_WIN32)
  return (void)path, false;
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
  m.def("cores", &cores);
  m.def("distinct_cores", &distinct_cores, py::arg("root"), py::arg("processors"));
  m.def("cache_bytes", &cache_bytes, py::arg("root"), py::arg("level"));
  m.def("quota_processors", &quota_processors, py::arg("root"));
  m.def("borrow_threads", &borrow, py::arg("library"));
}

}  // namespace elman
