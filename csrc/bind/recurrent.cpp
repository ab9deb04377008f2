// Packed stacks, and their passes forward and backward.
#include <pybind11/stl.h>

#include <optional>

#include "bind/parts.h"
#include "bind/tape.h"
#include "recurrent/pass.h"
#include "recurrent/plain_step.h"

namespace elman {
namespace {

using Arrays = std::vector<py::object>;
// [layer][direction]: weight_ih, weight_hh, bias_ih, bias_hh and the cell's vectors, or their gradients.
using Nested = std::vector<std::vector<Arrays>>;

py::array as_array(const py::object& object, const char* name) {
  if (!py::isinstance<py::array>(object))
    throw py::value_error(std::string(name) + ": expected an array, got " + describe(object));
  return py::reinterpret_borrow<py::array>(object);
}

// [x gates * H, I], [h gates * H, H] and the biases, as pointers. Of a cell that h does not feed weight_hh is
// None.
template <class T> Weights<T> read_weights(const CellFacts& cell, const Arrays& part) {
  const py::array ih = as_array(part[0], "weight_ih");
  Weights<T> w;
  w.I = checked_size(checked_shape(ih, 2, "weight_ih")[1], 0, "weight_ih");
  const bool fed = cell.h_gates() > 0;
  w.H = fed ? checked_size(checked_shape(as_array(part[1], "weight_hh"), 2, "weight_hh")[1], 1, "weight_hh")
            : checked_size(ih.shape(0) / cell.x_gates(), 1, "weight_ih");
  const py::ssize_t x_rows = elements({cell.x_gates(), w.H}), h_rows = elements({cell.h_gates(), w.H});
  if (ih.shape(0) != x_rows)
    throw py::value_error("weights: expected weight_ih [gates * H, I] and weight_hh [gates * H, H]");
  w.ih = input<T>(ih, elements({x_rows, w.I}), "weight_ih");
  w.bias_ih = maybe_input<T>(part[2], x_rows, "bias_ih");
  if (fed) {
    const py::array hh = as_array(part[1], "weight_hh");
    if (hh.shape(0) != h_rows)
      throw py::value_error("weights: expected weight_ih [gates * H, I] and weight_hh [gates * H, H]");
    w.hh = input<T>(hh, elements({h_rows, w.H}), "weight_hh");
    w.bias_hh = maybe_input<T>(part[3], h_rows, "bias_hh");
  } else if (!part[1].is_none() || !part[3].is_none()) {
    throw py::value_error("weights: expected None for weight_hh and bias_hh, which the cell has not");
  }
  for (int k = 0; k < cell.vector_count(); ++k) w.vectors[k] = input<T>(part[4 + k], w.H, cell.vectors[k]);
  return w;
}

// Checks that each of D directions of L layers has as many arrays as the cell needs, or none where it may.
void check_nested(const CellFacts& cell, const Nested& nested, size_t L, size_t D, const char* name,
                  bool maybe = false) {
  const size_t count = 4 + cell.vector_count();
  bool right = nested.size() == L && L > 0 && D > 0;
  for (const auto& layer : nested) {
    right = right && layer.size() == D;
    for (const Arrays& part : layer) right = right && (part.size() == count || (maybe && part.empty()));
  }
  if (right) return;
  std::string names = "weight_ih, weight_hh, bias_ih, bias_hh";
  for (int k = 0; k < cell.vector_count(); ++k) names += std::string(", ") + cell.vectors[k];
  throw py::value_error(std::string(name) + ": expected for each layer and direction " + names);
}

// A stack, and the weights of its parts. Each layer must read what the layer below gives.
template <class T>
std::pair<Stack, std::vector<Weights<T>>> read_stack(const Isa& isa, const CellRef& cell,
                                                     const Nested& nested) {
  const size_t L = nested.size(), D = nested[0].size();
  std::vector<Weights<T>> weights;
  for (const auto& layer : nested)
    for (const Arrays& part : layer) weights.push_back(read_weights<T>(*cell.facts, part));
  const Weights<T>& first = weights.front();
  const auto size = [](py::ssize_t n, const char* name) { return checked_size(n, 1, name); };
  const Stack stack{
      isa, cell, first.I, first.H, size(py::ssize_t(L), "layers"), size(py::ssize_t(D), "directions")};
  size(elements({stack.L, stack.D}), "layers");
  size(elements({stack.D, stack.H}), "directions");
  for (size_t i = 0; i < weights.size(); ++i)
    if (weights[i].H != stack.H || weights[i].I != stack.inputs(static_cast<int>(i / D)))
      throw py::value_error(
          "weights: expected all of one hidden size, layers that read x [.., I] and then "
          "the D * H of the layer below");
  return {stack, std::move(weights)};
}

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
      if (h_rows) one.hh = output<T>(part[1], elements({h_rows, stack.H}), "grads");
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
