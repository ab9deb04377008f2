// Packed stacks, and their passes forward and backward.
#include <pybind11/stl.h>

#include <optional>

#include "bind/parts.h"
#include "bind/tape.h"
#include "bind/weights.h"
#include "recurrent/pass.h"
#include "recurrent/plain_step.h"

namespace elman {
namespace {

template <class T, template <class> class Packed>
std::shared_ptr<Packed<T>> pack_as(const Isa& isa, const CellRef& cell, const Nested& nested) {
  const auto [stack, weights] = read_stack<T>(isa, cell, nested);
  const Unlocked unlocked;
  return std::make_shared<Packed<T>>(stack, weights);
}

// Calls f with a value of the type of the first weight. The types of the others are checked as they are read.
template <class F> auto in_type_of(const Nested& weights, const F& f) {
  return py::isinstance<py::array_t<double>>(weights[0][0][0]) ? f(double{}) : f(float{});
}

const CellRef& cell_of(const Isa& isa, const std::string& name, const Nested& weights) {
  const CellRef& cell = find_cell(isa, name);
  check_nested(*cell.facts, weights, weights.size(), weights.empty() ? 0 : weights[0].size(), "weights");
  return cell;
}

template <template <class> class Packed> py::object pack(const std::string& name, const Nested& weights) {
  const Isa& isa = current_isa();
  const CellRef& cell = cell_of(isa, name, weights);
  return in_type_of(weights,
                    [&](auto t) { return py::cast(pack_as<decltype(t), Packed>(isa, cell, weights)); });
}

// to[k] = get(array, size, name) of the array of each state.
template <class V, class Get>
void read_states(const Stack& stack, py::ssize_t size, const Arrays& arrays, V** to, const char* name,
                 Get get) {
  const size_t count = stack.facts().state_count();
  if (arrays.size() != count)
    throw py::value_error(std::string(name) + ": expected an array or None for each state, " +
                          std::to_string(count) + ", got " + std::to_string(arrays.size()));
  for (size_t k = 0; k < count; ++k) to[k] = get(arrays[k], size, name);
}

// The cell's scalars of so many rows; null where it has none.
template <class T> const T* read_scalars(const CellFacts& cell, py::ssize_t rows, const py::object& array) {
  const int count = cell.scalar_count();
  if (count == 0 && !array.is_none()) throw py::value_error("scalars: expected None, which the cell has not");
  return count ? input<T>(array, elements({rows, count}), "scalars") : nullptr;
}

// What a stack and a call of it agree on.
struct Sizes {
  const Stack& stack;
  const PlanList& plans;
  py::ssize_t rows, x, y, states;  // rows; elements of x, of results, and of a state

  Sizes(const Stack& stack_, const PlanList& plans_) : stack(stack_), plans(plans_) {
    if (plans.size() != static_cast<size_t>(stack.D))
      throw py::value_error("plans: expected one for each direction, " + std::to_string(stack.D) + ", got " +
                            std::to_string(plans.size()));
    check_plans(plans);
    rows = plans[0]->rows;
    x = elements({rows, stack.I});
    y = elements({rows, stack.D, stack.H});
    states = elements({stack.L, stack.D, plans[0]->B, stack.H});
  }

  std::vector<const Plan*> pointers() const {
    std::vector<const Plan*> all;
    for (const auto& plan : plans) all.push_back(plan.get());
    return all;
  }

  template <class V, class Get>
  void read_states(const Arrays& arrays, V** to, const char* name, Get get) const {
    elman::read_states(stack, states, arrays, to, name, get);
  }

  // [rows, scalars], where the cell has any.
  template <class T> const T* read_scalars(const py::object& array) const {
    return elman::read_scalars<T>(stack.facts(), rows, array);
  }

  template <class T> std::vector<const T*> read_dropout(const Arrays& arrays) const {
    if (!arrays.empty() && arrays.size() + 1 != static_cast<size_t>(stack.L))
      throw py::value_error("dropout: expected one for each layer but the last, " +
                            std::to_string(stack.L - 1) + ", or none, got " + std::to_string(arrays.size()));
    std::vector<const T*> factors;
    for (const py::object& array : arrays) factors.push_back(input<T>(array, y, "dropout"));
    return factors;
  }
};

template <class T>
void forward(const std::shared_ptr<PackedStack<T>>& packed, const PlanList& plans, const py::object& x,
             const py::object& y, const Arrays& initial, const Arrays& final, const Arrays& dropout,
             const std::optional<std::shared_ptr<HeldTape>>& tape, const py::object& scalars,
             const std::optional<uint64_t>& seed) {
  ForwardCall<T> call;
  call.packed = &held(packed, "packed");
  const Sizes sizes(*packed, plans);
  call.plans = sizes.pointers();
  call.wanted = schedule_of_environment();
  call.x = input<T>(x, sizes.x, "x");
  call.scalars = sizes.read_scalars<T>(scalars);
  if (seed) call.draws = {true, *seed};
  call.y = tape ? maybe_output<T>(y, sizes.y, "y") : output<T>(y, sizes.y, "y");
  sizes.read_states(initial, call.initial, "initial", maybe_input<T>);
  sizes.read_states(final, call.final, "final", maybe_output<T>);
  call.dropout = sizes.read_dropout<T>(dropout);
  if (tape) call.tape = held(*tape, "tape").template run_on<T>(packed, plans);
  const Unlocked unlocked;
  run_forward(call);
}

template <class T>
void step_as(const CellRef& cell, const Nested& weights, const py::object& x, const py::object& y,
             const Arrays& initial, const Arrays& final, const py::object& scalars) {
  auto [stack, parts] = read_stack<T>(current_isa(), cell, weights);
  if (stack.D != 1) throw py::value_error("weights: expected one direction, got " + std::to_string(stack.D));
  if (stack.heads != 1)
    throw py::value_error("weights: expected one head, got " + std::to_string(stack.heads));
  PlainStep<T> step{stack, std::move(parts)};
  step.B = checked_size(checked_shape(as_array(x, "x"), 2, "x")[0], 0, "x");
  step.x = input<T>(x, elements({step.B, stack.I}), "x");
  step.y = maybe_output<T>(y, elements({step.B, stack.H}), "y");
  step.scalars = read_scalars<T>(stack.facts(), step.B, scalars);
  const py::ssize_t states = elements({stack.L, step.B, stack.H});
  read_states(stack, states, initial, step.initial, "initial", maybe_input<T>);
  read_states(stack, states, final, step.final, "final", output<T>);
  step.wanted = schedule_of_environment();
  const Unlocked unlocked;
  run_plain_step(step);
}

// One step over plain weights, in the type of the first of them.
void step(const std::string& name, const Nested& weights, const py::object& x, const py::object& y,
          const Arrays& initial, const Arrays& final, const py::object& scalars) {
  const CellRef& cell = cell_of(current_isa(), name, weights);
  in_type_of(weights, [&](auto t) { step_as<decltype(t)>(cell, weights, x, y, initial, final, scalars); });
}

template <class T> std::vector<Gradients<T>> read_gradients(const Nested& nested, const Stack& stack) {
  check_nested(stack.facts(), nested, stack.L, stack.D, "grads", true);
  const py::ssize_t x_rows = elements({stack.facts().x_gates(), stack.H});
  const py::ssize_t h_rows = elements({stack.facts().h_gates(), stack.H});
  std::vector<Gradients<T>> all;
  for (int layer = 0; layer < stack.L; ++layer) {
    for (const Arrays& part : nested[layer]) {
      Gradients<T>& one = all.emplace_back();
      if (part.empty()) continue;  // nobody wants them
      one.ih = output<T>(part[0], elements({x_rows, stack.inputs(layer)}), "grads");
      if (h_rows) one.hh = output<T>(part[1], elements({h_rows, stack.head()}), "grads");
      one.bias_ih = maybe_output<T>(part[2], x_rows, "grads");
      if (h_rows) one.bias_hh = maybe_output<T>(part[3], h_rows, "grads");
      for (int k = 0; k < stack.facts().vector_count(); ++k)
        one.vectors[k] = output<T>(part[4 + k], stack.H, "grads");
    }
  }
  return all;
}

template <class T>
void backward(const std::shared_ptr<PackedBackStack<T>>& packed, const PlanList& plans,
              const std::shared_ptr<HeldTape>& tape, const Nested& grads, const py::object& x,
              const py::object& dy, const py::object& dx, const Arrays& initial, const Arrays& dfinal,
              const Arrays& dinitial, const Arrays& dropout, int first, const py::object& scalars,
              const py::object& dscalars, const std::optional<uint64_t>& seed) {
  BackwardCall<T> call;
  call.packed = &held(packed, "packed");
  const Sizes sizes(*packed, plans);
  call.plans = sizes.pointers();
  call.wanted = schedule_of_environment();
  call.tape = held(tape, "tape").template of<T>(*packed, plans);
  const auto again = tape->template ran_on<T>(*packed);
  call.again = again.get();
  call.grads = read_gradients<T>(grads, *packed);
  call.x = input<T>(x, sizes.x, "x");
  call.dy = maybe_input<T>(dy, sizes.y, "dy");
  call.dx = maybe_output<T>(dx, sizes.x, "dx");
  call.scalars = sizes.read_scalars<T>(scalars);
  if (seed) call.draws = {true, *seed};
  if (call.scalars)
    call.dscalars =
        maybe_output<T>(dscalars, elements({sizes.rows, packed->facts().scalar_count()}), "dscalars");
  sizes.read_states(initial, call.initial, "initial", maybe_input<T>);
  sizes.read_states(dfinal, call.dfinal, "dfinal", maybe_input<T>);
  sizes.read_states(dinitial, call.dinitial, "dinitial", output<T>);
  call.dropout = sizes.read_dropout<T>(dropout);
  call.first = first;
  if (first < 0 || first >= packed->L || (first && call.dx))
    throw py::value_error("first: expected a layer, and 0 where dx is wanted, got " + std::to_string(first));
  const Unlocked unlocked;
  run_backward(call);
}

template <class T> void bind_type(py::module_& m, const char* packed, const char* packed_back) {
  using Holder = std::shared_ptr<PackedStack<T>>;
  py::class_<PackedStack<T>, Holder>(m, packed).def_property_readonly(
      "isa", [](const Holder& p) { return p->isa.name; });
  py::class_<PackedBackStack<T>, std::shared_ptr<PackedBackStack<T>>>(m, packed_back);
  m.def("forward", &forward<T>, py::arg("packed"), py::arg("plans"), py::arg("x"), py::arg("y"),
        py::arg("initial"), py::arg("final"), py::arg("dropout"), py::arg("tape"),
        py::arg("scalars") = py::none(), py::arg("seed") = py::none());
  m.def("backward", &backward<T>, py::arg("packed"), py::arg("plans"), py::arg("tape"), py::arg("grads"),
        py::arg("x"), py::arg("dy"), py::arg("dx"), py::arg("initial"), py::arg("dfinal"),
        py::arg("dinitial"), py::arg("dropout"), py::arg("first"), py::arg("scalars") = py::none(),
        py::arg("dscalars") = py::none(), py::arg("seed") = py::none());
}

}  // namespace

void bind_recurrent(py::module_& m) {
  bind_type<float>(m, "PackedStackFloat32", "PackedBackStackFloat32");
  bind_type<double>(m, "PackedStackFloat64", "PackedBackStackFloat64");
  m.def("step", &step, py::arg("cell"), py::arg("weights"), py::arg("x"), py::arg("y"), py::arg("initial"),
        py::arg("final"), py::arg("scalars") = py::none());
  m.def("pack", &pack<PackedStack>, py::arg("cell"), py::arg("weights"));
  m.def("pack_back", &pack<PackedBackStack>, py::arg("cell"), py::arg("weights"));
}

}  // namespace elman
