// One step of a stack in one direction, forward with a tape and back, of a library's tensors. It answers None
// to tensors that it cannot read where they lie, and has done nothing then: the caller goes the long way,
// which words refusals. Both ways have the same tape.
#include <pybind11/stl.h>

#include "bind/tensors.h"
#include "recurrent/pass.h"

namespace elman {
namespace {

using Objects = std::vector<py::object>;
using Shape = std::vector<py::ssize_t>;

Shape shape_of(const View& view) { return {view.sizes.begin(), view.sizes.begin() + view.axes}; }

Plan one_step(int B) {
  Plan::Options options;
  options.T = 1;
  options.B = B;
  return Plan(options);
}

// The rows of one step and its states: what both passes read.
template <class T> class Step {
 public:
  Step(const Tensors& tensors, const Stack& stack) : tensors_(tensors), stack_(stack) {}

  // Each returns whether these can be read.
  bool read_x(const py::object& object) {
    if (!look(object, &x) || x.axes < 2 || x.sizes[x.axes - 1] != stack_.I || !x.elements()) return false;
    B = checked_size(x.elements() / stack_.I, 1, "B");
    return true;
  }

  // Those of h and the others, None for zeros.
  bool read_states(const Objects& objects, const T** to) const {
    if (objects.size() > std::size_t(stack_.facts().state_count())) return false;
    for (std::size_t k = 0; k < objects.size(); ++k) {
      if (objects[k].is_none()) continue;
      View view;
      if (!look(objects[k], &view) || shape_of(view) != state_shape()) return false;
      to[k] = static_cast<const T*>(view.data);
    }
    return true;
  }

  bool look(const py::object& object, View* view) const {
    return tensors_.look(object, view) && view->is_double == std::is_same_v<T, double>;
  }

  TapeLayout layout() const { return {stack_.facts(), stack_.H, stack_.L, {B}, B, false}; }
  py::ssize_t states() const { return elements({stack_.L, B, stack_.H}); }
  bool cell() const { return x.axes == 2; }  // no axis for steps or layers
  Shape state_shape() const { return cell() ? Shape{B, stack_.H} : Shape{stack_.L, B, stack_.H}; }

  Buffer<char> numbers(py::ssize_t count) const { return Buffer<char>(std::size_t(count) * sizeof(T)); }
  static T* of(const Buffer<char>& memory) { return reinterpret_cast<T*>(memory.data()); }

  py::object make(Buffer<char>& memory, const Shape& shape, bool turned = false) const {
    return tensors_.make(std::move(memory), shape, sizeof(T), turned);
  }

  View x;
  int B = 0;

 private:
  const Tensors& tensors_;
  const Stack& stack_;
};

// The tape, y (not of a cell, whose y is its h) and each final state.
template <class T>
py::object step_forward(const Tensors& tensors, const std::shared_ptr<PackedStack<T>>& packed,
                        const py::object& x, const Objects& states, bool batch_first) {
  const Stack& stack = held(packed, "packed");
  Step<T> step(tensors, stack);
  ForwardCall<T> call;
  if (stack.D != 1 || !step.read_x(x) || !step.read_states(states, call.initial)) return py::none();
  const int count = stack.facts().state_count(), B = step.B;
  const Plan plan = one_step(B);
  const TapeLayout layout = step.layout();
  Buffer<char> memory = step.numbers(layout.size()), y, final[max_states];
  if (!step.cell()) y = step.numbers(elements({B, stack.H}));
  for (int k = 0; k < count; ++k) {
    final[k] = step.numbers(step.states());
    call.final[k] = step.of(final[k]);
  }
  call.packed = packed.get();
  call.plans = {&plan};
  call.wanted = schedule_of_environment();
  call.x = static_cast<const T*>(step.x.data);
  call.y = step.cell() ? nullptr : step.of(y);
  call.tape = {&layout, step.of(memory), nullptr};
  {
    const Unlocked unlocked;
    run_forward(call);
  }
  py::list made;
  made.append(step.make(memory, {layout.size()}));
  Shape shape = shape_of(step.x);
  shape.back() = stack.H;
  if (!step.cell()) made.append(step.make(y, shape, batch_first));
  for (int k = 0; k < count; ++k) made.append(step.make(final[k], step.state_shape()));
  return made;
}

// The gradients of x, of each state and of each weight, None for those that are not needed. `given`: the
// gradients of y and of each final state, None for zeros. `weights`: in torch's order, `each` of every layer.
template <class T>
py::object step_backward(const Tensors& tensors, const CellRef& cell, const py::object& tape,
                         const py::object& x, const Objects& states, const Objects& weights, int each,
                         const py::object& dy, const Objects& dfinal, const std::vector<bool>& needs) {
  std::vector<View> views(weights.size());
  for (std::size_t i = 0; i < views.size(); ++i)
    if (!tensors.look(weights[i], &views[i]) || views[i].is_double != std::is_same_v<T, double>)
      return py::none();
  if ((each != 2 && each != 4) || views.empty() || views.size() % each || !cell.facts->simple() ||
      needs.size() != 1 + states.size() + views.size() || views[0].axes != 2 || views[1].axes != 2)
    return py::none();
  const Stack stack{current_isa(),
                    cell,
                    checked_size(views[0].sizes[1], 1, "weight_ih"),
                    checked_size(views[1].sizes[1], 1, "weight_hh"),
                    static_cast<int>(views.size() / each),
                    1};
  const py::ssize_t rows = elements({cell.facts->gate_count(), stack.H});
  const auto needed = needs.begin() + 1 + static_cast<std::ptrdiff_t>(states.size());
  BackwardCall<T> call;
  std::vector<Buffer<char>> memory(views.size());
  Step<T> step(tensors, stack);
  call.first = stack.L - 1;
  for (int layer = 0; layer < stack.L; ++layer) {
    const View* const own = &views[std::size_t(layer) * each];
    Weights<T>& one = call.plain.emplace_back();
    one.I = stack.inputs(layer);
    one.H = stack.H;
    const T* bias = nullptr;
    if (!own[0].template is<T>({rows, one.I}, &one.ih) || !own[1].template is<T>({rows, one.H}, &one.hh))
      return py::none();
    for (int i = 2; i < each; ++i)
      if (!own[i].template is<T>({rows}, &bias)) return py::none();
    Gradients<T>& grads = call.grads.emplace_back();
    const auto begin = needed + std::ptrdiff_t{layer} * each;
    if (std::find(begin, begin + each, true) == begin + each) continue;  // nobody wants them
    call.first = std::min(call.first, layer);
    T* to[4] = {};
    for (int i = 0; i < each; ++i) {
      Buffer<char>& made = memory[std::size_t(layer) * each + i];
      made = step.numbers(own[i].elements());
      to[i] = step.of(made);
    }
    grads.ih = to[0], grads.hh = to[1], grads.bias_ih = to[2], grads.bias_hh = to[3];
  }
  View kept, d_y;
  if (!step.read_x(x) || !step.read_states(states, call.initial) || !step.read_states(dfinal, call.dfinal) ||
      !step.look(tape, &kept))
    return py::none();
  const TapeLayout layout = step.layout();
  if (kept.elements() < layout.size()) return py::none();
  if (!dy.is_none() && (!step.look(dy, &d_y) || d_y.elements() != elements({step.B, stack.H})))
    return py::none();
  const bool need_states = std::find(needs.begin() + 1, needed, true) != needed;
  if (needs[0] || need_states) call.first = 0;
  Buffer<char> dx, dinitial[max_states];
  if (needs[0]) dx = step.numbers(step.x.elements());
  for (std::size_t k = 0; k < states.size() && need_states; ++k) {
    dinitial[k] = step.numbers(step.states());
    call.dinitial[k] = step.of(dinitial[k]);
  }
  const PackedBackStack<T> nothing_packed(stack);
  const Plan plan = one_step(step.B);
  call.packed = &nothing_packed;
  call.plans = {&plan};
  call.wanted = schedule_of_environment();
  call.tape = {&layout, static_cast<T*>(const_cast<void*>(kept.data)), nullptr};
  call.x = static_cast<const T*>(step.x.data);
  call.dy = static_cast<const T*>(d_y.data);
  call.dx = needs[0] ? step.of(dx) : nullptr;
  {
    const Unlocked unlocked;
    run_backward(call);
  }
  py::list made;
  made.append(needs[0] ? step.make(dx, shape_of(step.x)) : py::none());
  for (std::size_t k = 0; k < states.size(); ++k)
    made.append(needs[1 + k] ? step.make(dinitial[k], step.state_shape()) : py::none());
  for (std::size_t i = 0; i < views.size(); ++i)
    made.append(needed[std::ptrdiff_t(i)] ? step.make(memory[i], shape_of(views[i])) : py::none());
  return made;
}

py::object backward_of(const Tensors& tensors, const std::string& cell_name, const py::object& tape,
                       const py::object& x, const Objects& states, const Objects& weights, int each,
                       const py::object& dy, const Objects& dfinal, const std::vector<bool>& needs) {
  View view;
  if (!tensors.look(tape, &view)) return py::none();
  const CellRef& cell = find_cell(current_isa(), cell_name);
  const auto run = view.is_double ? step_backward<double> : step_backward<float>;
  return run(tensors, cell, tape, x, states, weights, each, dy, dfinal, needs);
}

}  // namespace

void bind_tensor_steps(py::module_& m) {
  const auto bind = [&](auto function) {
    m.def("step_forward", function, py::arg("tensors"), py::arg("packed"), py::arg("x"), py::arg("states"),
          py::arg("batch_first"));
  };
  bind(&step_forward<float>);
  bind(&step_forward<double>);
  m.def("step_backward", &backward_of, py::arg("tensors"), py::arg("cell"), py::arg("tape"), py::arg("x"),
        py::arg("states"), py::arg("weights"), py::arg("each"), py::arg("dy"), py::arg("dfinal"),
        py::arg("needs"));
}

}  // namespace elman
