// The cells and the instruction sets.
#include <pybind11/stl.h>

#include "bind/parts.h"
#include "kernels/dispatch.h"

namespace elman {
namespace {

py::tuple names(const char* const* list, int count) {
  py::tuple all(count);
  for (int i = 0; i < count; ++i) all[i] = list[i];
  return all;
}

// The slots that a product feeds, and the gate behind each.
py::dict feed(const Feed& f) {
  py::dict d;
  d["begin"] = f.begin;
  d["gates"] = py::tuple(py::cast(std::vector<int>(f.gate, f.gate + f.count())));
  return d;
}

py::dict cells() {
  py::dict all;
  for (int i = 0; i < current_isa().cell_count; ++i) {
    const CellFacts& cell = *current_isa().cells[i].facts;
    py::dict one;
    one["slots"] = cell.slots;
    one["states"] = names(cell.states, cell.state_count());
    one["gates"] = names(cell.gates, cell.gate_count());
    one["bias"] = py::tuple(py::cast(std::vector<double>(cell.bias, cell.bias + cell.gate_count())));
    one["x"] = feed(cell.x);
    one["h"] = feed(cell.h);
    one["vectors"] = names(cell.vectors, cell.vector_count());
    one["stages"] = cell.stage_count();
    all[cell.name] = one;
  }
  return all;
}

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const Isa* isa : isas()) names.push_back(isa->name);
  return names;
}

}  // namespace

void bind_kernels(py::module_& m) {
  m.def("cells", &cells);
  m.def("isas", &isa_names);
  m.def("isa", [] { return current_isa().name; });
  m.def("use_isa", &use_isa);
}

}  // namespace elman
