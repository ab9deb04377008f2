// The parts of the extension module.
#pragma once

#include "bind/arrays.h"

namespace elman {

void bind_around(py::module_& m);
void bind_attention(py::module_& m);
void bind_ctc(py::module_& m);
void bind_dlpack(py::module_& m);
void bind_fingerprint(py::module_& m);
void bind_layer(py::module_& m);
void bind_optimise(py::module_& m);
void bind_stepper(py::module_& m);

}  // namespace elman
