// The parts of the extension module.
#pragma once

#include "bind/arrays.h"
#include "bind/gil.h"

namespace elman {

// A number of threads that a call may be asked to run on.
int checked_threads(int n);

// An array in a buffer of the engine. A large result can get the buffer of an earlier result that nobody
// holds any more, with its pages in place.
py::array empty(const std::vector<py::ssize_t>& shape, const py::dtype& dtype);

void bind_kernels(py::module_& m);
void bind_plan(py::module_& m);
void bind_pieces(py::module_& m);
void bind_tape(py::module_& m);
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
void bind_tensors(py::module_& m);
void bind_tensor_steps(py::module_& m);

}  // namespace elman
