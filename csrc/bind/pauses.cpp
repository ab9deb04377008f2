// Ctrl-C and other signals while a long call is inside the engine.
#include "machine/pauses.h"

#include <atomic>

#include "bind/parts.h"
#include "recurrent/spans.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace elman {
namespace {

// Python runs signal handlers only on its main thread. No other thread asks for the interpreter here: while
// the program ends it would not get it.
std::atomic<unsigned long> main_thread{0};

// What a handler raises passes through the engine and reaches Python unchanged.
void run_signal_handlers() {
  if (PyThread_get_thread_ident() != main_thread.load()) return;
  const py::gil_scoped_acquire hold;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

}  // namespace

void bind_pauses(py::module_& m) {
  main_thread.store(
      py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>());
#if !defined(_WIN32)
  pthread_atfork(nullptr, nullptr, [] { main_thread.store(PyThread_get_thread_ident()); });
#endif
  on_pause(run_signal_handlers);
  m.def("set_span", &set_span, py::arg("work"));
}

}  // namespace elman
