// The extension module: registers what Python may call. Each part checks its arguments, releases the GIL
// and calls the engine; there is no maths here.
#include "bind/parts.h"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  using namespace elman;
  m.doc() = "elman's engine. The public surface is the package elman.";
  bind_kernels(m);
  bind_plan(m);
  bind_pieces(m);
  bind_tape(m);
  bind_recurrent(m);
  bind_stepper(m);
  bind_layers(m);
  bind_attention(m);
  bind_losses(m);
  bind_optim(m);
  bind_probes(m);
  bind_threads(m);
  bind_pauses(m);
  bind_buffers(m);
  bind_tensors(m);
  bind_tensor_steps(m);
}
