// One step of a stack in one direction, forward with a tape and back, of a library's tensors.
#include "bind/tensor_steps.h"

#include <pybind11/stl.h>

#include <cstring>

#include "recurrent/plain_step.h"

namespace elman {
namespace {

template <class T> TapeLayout tape_of(const Given<T>& given) {
  const Stack& stack = given.stack();
  return {stack.facts(), stack.H, stack.L, {given.B()}, given.B(), false};
}

// The numbers that any call of this shape takes for its tape: a checkpoint compares the sizes of tapes of the
// same call, which can go another way the second time.
template <class T> int64_t tape_room(const Given<T>& given) {
  const Stack& stack = given.stack();
  const TapeLayout::Room room = TapeLayout::room(stack.facts(), stack.L, 1, false);
  return (stack.H * (room.entry + room.row) + room.number) * given.B() + room.rest;
}

// What is given to `step_backward`, and what comes of it.
template <class T> class BackStep {
 public:
  explicit BackStep(const Given<T>& given) : given_(given) { call_.plain = given.weights(); }

  // `needs`: whether the gradients of x, each state and each weight are wanted. They get memory here.
  void set_needs(const std::vector<bool>& needs, std::size_t states) {
    const Stack& stack = given_.stack();
    const std::size_t each = given_.arrays();
    call_.first = stack.L - 1;
    weights_.resize(given_.views().size());
    for (int layer = 0; layer < stack.L; ++layer) {
      const std::size_t own = std::size_t(layer) * each;
      const auto begin = needs.begin() + std::ptrdiff_t(1 + states + own), end = begin + std::ptrdiff_t(each);
      Gradients<T>& grads = call_.grads.emplace_back();
      if (std::find(begin, end, true) == end) continue;
      call_.first = std::min(call_.first, layer);
      const auto to = fields(grads, stack.facts(), given_.module().bias);
      for (std::size_t i = 0; i < each; ++i) {
        weights_[own + i] = given_.numbers(std::size_t(given_.views()[own + i].elements()));
        *to[i] = given_.of(weights_[own + i]);
      }
    }
    const auto of_states = needs.begin() + 1;
    if (needs[0]) {
      dx_ = given_.numbers(std::size_t(given_.B()) * stack.I);
      call_.dx = given_.of(dx_);
    }
    if (std::find(of_states, of_states + std::ptrdiff_t(states), true) !=
        of_states + std::ptrdiff_t(states)) {
      for (std::size_t k = 0; k < states; ++k) {
        dinitial_[k] = given_.new_state();
        call_.dinitial[k] = given_.of(dinitial_[k]);
      }
    }
    if (call_.dx || call_.dinitial[0]) call_.first = 0;
  }

  // False if they cannot be read.
  bool read(const py::object& tape, const Objects& states, const py::object& dy, const Objects& dfinal) {
    View kept, d_y;
    const int64_t numbers = int64_t{given_.B()} * given_.stack().H;
    if (!given_.read_some_states(states, call_.initial) || !given_.read_some_states(dfinal, call_.dfinal) ||
        !given_.look(tape, &kept) || kept.elements() < layout_.size() ||
        (!dy.is_none() && (!given_.look(dy, &d_y) || d_y.elements() != numbers)))
      return false;
    call_.tape.layout = &layout_;
    call_.tape.memory = static_cast<T*>(const_cast<void*>(kept.data));
    call_.dy = static_cast<const T*>(d_y.data);
    return true;
  }

  Objects run(const std::vector<bool>& needs, std::size_t states) {
    const PackedBackStack<T> nothing_packed(given_.stack());
    const std::shared_ptr<const Plan> plan = one_step(given_.B());
    call_.packed = &nothing_packed;
    call_.plans = {plan.get()};
    call_.wanted = schedule_of_environment();
    call_.x = given_.x();
    {
      const Unlocked unlocked;
      run_backward(call_);
    }
    Objects made{needs[0] ? given_.make_x(std::move(dx_)) : py::none()};
    for (std::size_t k = 0; k < states; ++k)
      made.push_back(needs[1 + k] ? given_.make_state(std::move(dinitial_[k])) : py::none());
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const View& view = given_.views()[i];
      made.push_back(needs[1 + states + i] ? given_.make(std::move(weights_[i]), view.shape()) : py::none());
    }
    return made;
  }

 private:
  const Given<T>& given_;
  const TapeLayout layout_ = tape_of(given_);
  BackwardCall<T> call_;
  Buffer<char> dx_, dinitial_[max_states];
  std::vector<Buffer<char>> weights_;  // their gradients
};

// The gradients of x, of each state and of each weight, None for those that are not needed. `dy` and
// `dfinal`: None for zeros. None, and nothing done, if a tensor cannot be read where it lies.
template <class T>
py::object step_backward(const Tensors& tensors, const Module& module, const py::object& tape,
                         const py::object& x, const Objects& states, const Objects& weights,
                         const py::object& dy, const Objects& dfinal, const std::vector<bool>& needs) {
  Given<T> given(tensors, module);
  if (!given.read_weights(weights) || !given.read_x(x) || !can_train_step(given) ||
      states.size() > given.states() || needs.size() != 1 + states.size() + weights.size())
    return py::none();
  BackStep<T> step(given);
  if (!step.read(tape, states, dy, dfinal)) return py::none();
  step.set_needs(needs, states.size());
  return py::cast(step.run(needs, states.size()));
}

}  // namespace

template <class T>
Objects train_step(const Given<T>& given, const T* const* initial, const PackedStack<T>* packed) {
  const TapeLayout layout = tape_of(given);
  const int64_t size = tape_room(given);
  Buffer<char> memory = given.numbers(std::size_t(size)), y, final[max_states];
  const auto run = [&](auto& call, void (*pass)(const std::decay_t<decltype(call)>&)) {
    call.wanted = schedule_of_environment();
    call.x = given.x();
    call.y = given.of(y);
    call.tape.layout = &layout;
    call.tape.memory = given.of(memory);
    for (std::size_t k = 0; k < given.states(); ++k) {
      call.initial[k] = initial[k];
      call.final[k] = given.of(final[k]);
    }
    pass(call);
  };
  {
    const Unlocked unlocked;
    if (given.gives_y()) y = given.new_y();
    for (std::size_t k = 0; k < given.states(); ++k) final[k] = given.new_state();
    if (packed) {
      const std::shared_ptr<const Plan> plan = one_step(given.B());
      ForwardCall<T> call;
      call.packed = packed;
      call.plans = {plan.get()};
      run(call, &run_forward<T>);
    } else {
      std::memset(memory.data(), 0, memory.size());
      PlainStep<T> call{given.stack(), given.weights(), given.B()};
      run(call, &run_plain_step<T>);
    }
  }
  Objects made{given.make(std::move(memory), {size})};
  if (given.gives_y()) made.push_back(given.make_y(std::move(y)));
  for (std::size_t k = 0; k < given.states(); ++k) made.push_back(given.make_state(std::move(final[k])));
  return made;
}

template Objects train_step(const Given<float>&, const float* const*, const PackedStack<float>*);
template Objects train_step(const Given<double>&, const double* const*, const PackedStack<double>*);

void bind_tensor_steps(py::module_& m) {
  m.def(
      "step_backward",
      [](const Tensors& tensors, const Module& module, const py::object& tape, const py::object& x,
         const Objects& states, const Objects& weights, const py::object& dy, const Objects& dfinal,
         const std::vector<bool>& needs) {
        View view;
        if (!tensors.look(tape, &view)) return py::object(py::none());
        const auto run = view.is_double ? step_backward<double> : step_backward<float>;
        return run(tensors, module, tape, x, states, weights, dy, dfinal, needs);
      },
      py::arg("tensors"), py::arg("module"), py::arg("tape"), py::arg("x"), py::arg("states"),
      py::arg("weights"), py::arg("dy"), py::arg("dfinal"), py::arg("needs"));
}

}  // namespace elman
