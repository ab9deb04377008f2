// Packed weights and layer calls.
#include <pybind11/stl.h>

#include <optional>

#include "bind/parts.h"
#include "recurrent/layer.h"

namespace elman {
namespace {

// [gates * H, I], [gates * H, H] and the biases, as pointers.
template <class T>
Weights<T> read_weights(const CellFacts& cell, const py::array& ih, const py::array& hh,
                        const py::object& bias_ih, const py::object& bias_hh) {
  Weights<T> w;
  w.I = checked_size(checked_shape(ih, 2, "weight_ih")[1], 0, "weight_ih");
  w.H = checked_size(checked_shape(hh, 2, "weight_hh")[1], 1, "weight_hh");
  const py::ssize_t rows = elements({cell.gate_count(), w.H});
  if (ih.shape(0) != rows || hh.shape(0) != rows)
    throw py::value_error("weights: expected weight_ih [gates * H, I] and weight_hh [gates * H, H]");
  w.ih = input<T>(ih, elements({rows, w.I}), "weight_ih");
  w.hh = input<T>(hh, elements({rows, w.H}), "weight_hh");
  w.bias_ih = maybe_input<T>(bias_ih, rows, "bias_ih");
  w.bias_hh = maybe_input<T>(bias_hh, rows, "bias_hh");
  return w;
}

template <class T>
std::shared_ptr<Packed<T>> pack(const std::string& cell, const py::array_t<T, py::array::c_style>& ih,
                                const py::array& hh, const py::object& bias_ih, const py::object& bias_hh) {
  const Isa& isa = current_isa();
  const CellRef& found = find_cell(isa, cell);
  const Weights<T> weights = read_weights<T>(*found.facts, ih, hh, bias_ih, bias_hh);
  const Unlocked unlocked;
  return std::make_shared<Packed<T>>(isa, found, weights);
}

template <class T>
std::shared_ptr<PackedBack<T>> pack_back(const std::string& cell,
                                         const py::array_t<T, py::array::c_style>& ih, const py::array& hh) {
  const Isa& isa = current_isa();
  const CellRef& found = find_cell(isa, cell);
  const Weights<T> weights = read_weights<T>(*found.facts, ih, hh, py::none(), py::none());
  const Unlocked unlocked;
  return std::make_shared<PackedBack<T>>(isa, found, weights);
}

template <class T> using PackedList = std::vector<std::shared_ptr<Packed<T>>>;
using PlanList = std::vector<std::shared_ptr<Plan>>;
using StateList = std::vector<std::vector<py::object>>;  // [direction][state]
using TapeList =
    std::vector<std::vector<py::object>>;  // [direction][slots, states beyond h, factors, masked]

void check_count(size_t got, size_t directions, const char* name) {
  if (got != directions) throw py::value_error(std::string(name) + ": expected one for each direction");
}

// That there is something for each direction, and that the directions are of one layer and one call.
template <class P>
void check_directions(const std::vector<std::shared_ptr<P>>& packed, const PlanList& plans) {
  if (packed.empty()) throw py::value_error("packed: expected one for each direction");
  check_count(plans.size(), packed.size(), "plans");
  const P& first = held(packed[0], "packed");
  for (size_t d = 0; d < packed.size(); ++d) {
    const P& one = held(packed[d], "packed");
    const Plan &plan = held(plans[d], "plans"), &first_plan = *plans[0];
    if (one.H != first.H || one.I != first.I || &one.cell != &first.cell || &one.isa != &first.isa ||
        plan.rows != first_plan.rows || plan.B != first_plan.B)
      throw py::value_error("packed, plans: expected directions alike");
  }
}

template <class T, class Get>
void read_states(const StateList& all, size_t d, int states, py::ssize_t size, const char* name,
                 const Get& get) {
  if (all.at(d).size() != static_cast<size_t>(states))
    throw py::value_error(std::string(name) + ": one for each state");
  for (int k = 0; k < states; ++k) get(k, all[d][k], size, name);
}

template <class T>
Tape<T> read_tape(const TapeList& all, size_t d, const Plan& plan, const CellFacts& cell, int H) {
  if (all[d].size() != 4) throw py::value_error("tapes: expected slots, states, factors and masked");
  const py::ssize_t size = elements({plan.total(), H});
  Tape<T> tape;
  tape.slots = output<T>(all[d][0], elements({size, cell.slots}), "slots");
  if (const int more = cell.state_count() - 1) {
    T* states = output<T>(all[d][1], elements({size, more}), "states");
    for (int k = 0; k < more; ++k) tape.states[k + 1] = states + k * size;
  }
  tape.factors = maybe_input<T>(all[d][2], elements({plan.B, H}), "factors");
  tape.masked = maybe_output<T>(all[d][3], size, "masked");
  if (all[d][2].is_none() != all[d][3].is_none())
    throw py::value_error("tapes: expected arrays of factors and masked, or none of both");
  return tape;
}

template <class T>
void forward(const PackedList<T>& packed, const PlanList& plans, const py::array& x, const py::array& y,
             const StateList& initial, const StateList& final, const std::optional<TapeList>& tapes) {
  check_directions(packed, plans);
  const size_t directions = packed.size();
  check_count(initial.size(), directions, "initial");
  check_count(final.size(), directions, "final");
  const Packed<T>& first = *packed.front();
  const int states = first.info().state_count(), H = first.H;
  const py::ssize_t rows = plans[0]->rows;
  const py::ssize_t width = elements({H, static_cast<py::ssize_t>(directions)});
  const T* x_data = input<T>(x, elements({rows, first.I}), "x");
  T* y_data = output<T>(y, elements({rows, width}), "y");
  if (tapes) check_count(tapes->size(), directions, "tapes");
  std::vector<ForwardCall<T>> calls(directions);
  for (size_t d = 0; d < directions; ++d) {
    ForwardCall<T>& call = calls[d];
    call.packed = packed[d].get();
    call.plan = plans[d].get();
    if (tapes) call.tape = read_tape<T>(*tapes, d, *plans[d], first.info(), H);
    call.job.x = x_data;
    call.job.y = y_data + d * H;
    call.job.y_stride = width;
    const py::ssize_t size = elements({plans[d]->B, H});
    read_states<T>(initial, d, states, size, "initial",
                   [&](int k, auto&... a) { call.job.initial[k] = maybe_input<T>(a...); });
    read_states<T>(final, d, states, size, "final",
                   [&](int k, auto&... a) { call.job.final[k] = maybe_output<T>(a...); });
  }
  const Unlocked unlocked;
  run_forward(calls);
}

// One direction's gradients, which are added to: [weight_ih, weight_hh, bias_ih, bias_hh].
using Matrices = std::vector<py::object>;

template <class T>
void backward(const std::vector<std::shared_ptr<PackedBack<T>>>& packed, const PlanList& plans,
              const TapeList& tapes, const std::vector<Matrices>& grads, const py::array& x,
              const py::array& y, const py::object& dy, const StateList& initial, const StateList& dfinal,
              const StateList& dinitial, const py::object& dx) {
  check_directions(packed, plans);
  const size_t directions = packed.size();
  check_count(tapes.size(), directions, "tapes");
  check_count(grads.size(), directions, "grads");
  check_count(initial.size(), directions, "initial");
  check_count(dfinal.size(), directions, "dfinal");
  check_count(dinitial.size(), directions, "dinitial");
  const PackedBack<T>& first = *packed.front();
  const CellFacts& cell = *first.cell.facts;
  const int H = first.H, I = first.I;
  const py::ssize_t rows = plans[0]->rows, width = elements({H, static_cast<py::ssize_t>(directions)});
  const T* x_data = input<T>(x, elements({rows, I}), "x");
  const T* y_data = input<T>(y, elements({rows, width}), "y");
  const T* dy_data = maybe_input<T>(dy, elements({rows, width}), "dy");
  T* dx_data = maybe_output<T>(dx, elements({rows, I}), "dx");
  std::vector<BackwardCall<T>> calls(directions);
  for (size_t d = 0; d < directions; ++d) {
    BackwardCall<T>& call = calls[d];
    call.packed = packed[d].get();
    call.plan = plans[d].get();
    call.tape = read_tape<T>(tapes, d, *plans[d], cell, H);
    if (grads[d].size() != 4) throw py::value_error("grads: expected those of two weights and two biases");
    call.x = x_data;
    call.job.y = y_data + d * H;
    call.job.dy = dy_data ? dy_data + d * H : nullptr;
    call.job.y_stride = call.job.dy_stride = width;
    const py::ssize_t units = elements({cell.gate_count(), H});
    call.d_ih = output<T>(grads[d][0], elements({units, I}), "grads");
    call.d_hh = output<T>(grads[d][1], elements({units, H}), "grads");
    call.d_bias_ih = maybe_output<T>(grads[d][2], units, "grads");
    call.d_bias_hh = maybe_output<T>(grads[d][3], units, "grads");
    const py::ssize_t size = elements({plans[d]->B, H});
    read_states<T>(initial, d, cell.state_count(), size, "initial",
                   [&](int k, auto&... a) { call.job.initial[k] = maybe_input<T>(a...); });
    read_states<T>(dfinal, d, cell.state_count(), size, "dfinal",
                   [&](int k, auto&... a) { call.job.dfinal[k] = maybe_input<T>(a...); });
    read_states<T>(dinitial, d, cell.state_count(), size, "dinitial",
                   [&](int k, auto&... a) { call.job.dinitial[k] = output<T>(a...); });
  }
  const Unlocked unlocked;
  run_backward(calls, dx_data);
}

template <class T> void bind_type(py::module_& m, const char* packed, const char* packed_back) {
  using Holder = std::shared_ptr<Packed<T>>;
  py::class_<Packed<T>, Holder>(m, packed)
      .def_property_readonly("I", [](const Holder& p) { return p->I; })
      .def_property_readonly("H", [](const Holder& p) { return p->H; })
      .def_property_readonly("isa", [](const Holder& p) { return p->isa.name; });
  py::class_<PackedBack<T>, std::shared_ptr<PackedBack<T>>>(m, packed_back);
  m.def("pack_back", &pack_back<T>, py::arg("cell"), py::arg("weight_ih").noconvert(), py::arg("weight_hh"));
  m.def("pack", &pack<T>, py::arg("cell"), py::arg("weight_ih").noconvert(), py::arg("weight_hh"),
        py::arg("bias_ih"), py::arg("bias_hh"));
  m.def("forward", &forward<T>, py::arg("packed"), py::arg("plans"), py::arg("x"), py::arg("y"),
        py::arg("initial"), py::arg("final"), py::arg("tapes"));
  m.def("backward", &backward<T>, py::arg("packed"), py::arg("plans"), py::arg("tapes"), py::arg("grads"),
        py::arg("x"), py::arg("y"), py::arg("dy"), py::arg("initial"), py::arg("dfinal"), py::arg("dinitial"),
        py::arg("dx"));
}

}  // namespace

void bind_recurrent(py::module_& m) {
  bind_type<float>(m, "PackedFloat32", "PackedBackFloat32");
  bind_type<double>(m, "PackedFloat64", "PackedBackFloat64");
}

}  // namespace elman
