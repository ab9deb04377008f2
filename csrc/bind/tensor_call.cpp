// A whole call of a stack, from a library's tensors to its results: what front ends try first. It answers
// None to what it does not do, and has done nothing then; the caller goes the long way, which words refusals.
#include <pybind11/stl.h>

#include <cstring>

#include "bind/kept.h"
#include "bind/tensor_steps.h"
#include "machine/share.h"
#include "recurrent/plain_step.h"

namespace elman {
namespace {

// A call that nobody wants gradients of. `packed`: null for a single step over plain weights.
template <class T> class Call {
 public:
  Call(const Given<T>& given, const T* const* initial) : given_(given), initial_(initial) {}

  py::object run(const PackedStack<T>* packed, Kept<T>* kept) {
    {
      const Unlocked unlocked;
      for (std::size_t k = 0; k < given_.states(); ++k) final_[k] = given_.new_state();
      if (given_.gives_y()) y_ = given_.new_y();
      if (packed) run_packed(*packed, kept->plans(given_.steps(), given_.B(), given_.turned()));
      else run_plain();
    }
    Objects results;
    if (given_.gives_y()) results.push_back(given_.make_y(std::move(y_)));
    for (std::size_t k = 0; k < given_.states(); ++k)
      results.push_back(given_.make_state(std::move(final_[k])));
    return given_.results(results);
  }

 private:
  void run_plain() {
    PlainStep<T> step{given_.stack(), given_.weights()};
    step.B = given_.B();
    step.x = given_.x();
    step.y = given_.of(y_);
    step.wanted = schedule_of_environment();
    set_states(step);
    run_plain_step(step);
  }

  void run_packed(const PackedStack<T>& packed, const Plans& plans) {
    ForwardCall<T> call;
    call.packed = &packed;
    for (const auto& plan : plans) call.plans.push_back(plan.get());
    call.wanted = schedule_of_environment();
    call.x = given_.x();
    call.y = given_.of(given_.gives_y() ? y_ : final_[0]);
    set_states(call);
    run_forward(call);
    if (given_.turned() && given_.steps() > 1 && given_.B() > 1) turn();
  }

  template <class One> void set_states(One& call) const {
    for (std::size_t k = 0; k < given_.states(); ++k) {
      call.initial[k] = initial_[k];
      call.final[k] = given_.of(final_[k]);
    }
  }

  // y [B, T] to [T, B].
  void turn() {
    const int steps = given_.steps(), B = given_.B();
    const std::size_t row = given_.stack().width() * sizeof(T);
    Buffer<char> turned(y_.size());
    ThreadTeam team(num_threads());
    const int threads = threads_for_streaming(double(y_.size()), team.size(), team.warm());
    share(team, threads, steps, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t)
        for (int64_t b = 0; b < B; ++b)
          std::memcpy(turned.data() + (t * B + b) * row, y_.data() + (b * steps + t) * row, row);
    });
    y_ = std::move(turned);
  }

  const Given<T>& given_;
  const T* const* const initial_;
  Buffer<char> y_, final_[max_states];
};

// What calls have in common. `node`: None if no gradients are taken; else it puts what a step of the stack
// leaves into the library's graph, node(made, states, plain), and gives y (not of a cell) and the final
// states.
struct Request {
  const Tensors& tensors;
  const Module& module;
  const py::object& kept;  // the packed weights of the last call, or None
  const bool trusted;      // it is, or would be, of these weights
  const Objects& weights;
  const py::object& x;
  const Objects states;
  const py::object& node;

  bool wants_gradients() const {
    const auto wants = [&](const py::object& one) { return tensors.wants_gradient(one); };
    return !node.is_none() && (wants(x) || std::any_of(weights.begin(), weights.end(), wants) ||
                               std::any_of(states.begin(), states.end(), wants));
  }
};

template <class T> py::object run_as(const Request& request) {
  Given<T> given(request.tensors, request.module);
  const T* initial[max_states] = {};
  if (!given.read_weights(request.weights) || !given.read_x(request.x) ||
      !given.read_states(request.states, initial))
    return py::none();
  const bool trained = request.wants_gradients();
  if (trained && !can_train_step(given)) return py::none();
  const KeptHolder<T> kept =
      py::isinstance<Kept<T>>(request.kept) ? request.kept.cast<KeptHolder<T>>() : nullptr;
  const bool plain = given.single_step() && !request.trusted && plain_step_pays<T>(given.stack(), given.B());
  const PackedStack<T>* packed = nullptr;
  if (!plain) {
    const Unlocked unlocked;
    packed = kept ? kept->find(given.stack(), given.views(), request.trusted) : nullptr;
  }
  if (!plain && !packed) return py::none();
  if (!trained) return Call<T>(given, initial).run(packed, kept.get());
  const Objects made = train_step(given, initial, packed);
  const auto results = request.node(made, request.states, plain).template cast<Objects>();
  if (results.size() + 1 != made.size())
    throw py::value_error("node: expected " + std::to_string(made.size() - 1) + " results, got " +
                          std::to_string(results.size()));
  return given.results(results);
}

Objects states_of(const py::object& hx) {
  if (hx.is_none()) return {};
  if (py::isinstance<py::tuple>(hx) || py::isinstance<py::list>(hx)) return hx.cast<Objects>();
  return {hx};
}

py::object run(const Tensors& tensors, const Module& module, const py::object& kept, bool trusted,
               const Objects& weights, const py::object& x, const py::object& hx, const py::object& node) {
  const Request request{tensors, module, kept, trusted, weights, x, states_of(hx), node};
  if (request.states.size() == 1 && !request.states[0].is(hx))
    return py::none();  // [h], where h was expected
  if (request.states.empty() != hx.is_none()) return py::none();
  View view;
  if (!tensors.look(x, &view)) return py::none();
  return view.is_double ? run_as<double>(request) : run_as<float>(request);
}

py::object new_tensor(const Tensors& tensors, const std::vector<py::ssize_t>& shape, int itemsize) {
  if (itemsize != 4 && itemsize != 8) throw py::value_error("itemsize: expected 4 or 8");
  return tensors.make(Buffer<char>(checked_bytes(shape, itemsize)), shape, itemsize);
}

// Of weights as tensors, or as NumPy arrays where they cannot be read as tensors; None if one of them cannot.
py::object fingerprint(const Tensors& tensors, const Objects& weights) {
  std::vector<View> views(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (!tensors.look(weights[i], &views[i]) && !look_at_array(weights[i], &views[i])) return py::none();
  uint64_t found;
  {
    const Unlocked unlocked;
    found = fingerprint_of(views);
  }
  return py::int_(found);
}

template <class T> void bind_type(py::module_& m, const char* name) {
  py::class_<Kept<T>, KeptHolder<T>>(m, name);
  m.def(
      "keep",
      [](const std::shared_ptr<PackedStack<T>>& packed, uint64_t fingerprint) {
        return std::make_shared<Kept<T>>(packed, fingerprint);
      },
      py::arg("packed"), py::arg("fingerprint"));
}

}  // namespace

void bind_tensors(py::module_& m) {
  bind_type<float>(m, "KeptFloat32");
  bind_type<double>(m, "KeptFloat64");
  py::class_<Module>(m, "Module")
      .def(py::init([](std::string cell, int I, int H, bool bidirectional, bool bias, bool batch_first,
                       bool one_step, int heads) {
             checked_size(heads, 1, "heads");
             return Module{std::move(cell), I, H, bidirectional, bias, batch_first, one_step, heads};
           }),
           py::arg("cell"), py::arg("I"), py::arg("H"), py::arg("bidirectional"), py::arg("bias"),
           py::arg("batch_first"), py::arg("one_step"), py::arg("heads") = 1)
      .def_readonly("cell", &Module::cell)
      .def_property_readonly("large", &Module::large)
      .def_readonly("I", &Module::I)
      .def_readonly("H", &Module::H)
      .def_readonly("bias", &Module::bias)
      .def_readonly("heads", &Module::heads)
      .def_readonly("batch_first", &Module::batch_first);
  py::class_<Tensors>(m, "Tensors")
      .def(py::init<py::tuple, py::object, py::object, py::object, py::object>(), py::arg("types"),
           py::arg("negated"), py::arg("wants_gradient"), py::arg("give"), py::arg("take"))
      .def("new", &new_tensor, py::arg("shape"), py::arg("itemsize"))
      .def("fingerprint", &fingerprint, py::arg("weights"))
      .def("run", &run, py::arg("module"), py::arg("kept"), py::arg("trusted"), py::arg("weights"),
           py::arg("x"), py::arg("hx"), py::arg("node"));
}

}  // namespace elman
