// The parts of the extension module.
#pragma once

#include "bind/arrays.h"
#include "bind/gil.h"

namespace elman {

// A number of threads that a call may be asked to run on.
int checked_threads(int n);

void bind_kernels(py::module_& m);
void bind_plan(py::module_& m);
void bind_recurrent(py::module_& m);
void bind_stepper(py::module_& m);
void bind_layers(py::module_& m);
void bind_attention(py::module_& m);
void bind_losses(py::module_& m);
void bind_optim(py::module_& m);
void bind_probes(py::module_& m);
void bind_threads(py::module_& m);
void bind_pauses(py::module_& m);
void bind_buffers(py::module_& m);

}  // namespace elman
