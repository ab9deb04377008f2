// A whole call of a stack, from a library's tensors to its results: what front ends try first. It answers
// None to what it does not do, and has done nothing then; the caller goes the long way, which words refusals.
#include <pybind11/stl.h>

#include <cstring>
#include <optional>

#include "bind/kept.h"
#include "machine/share.h"
#include "recurrent/pass.h"
#include "recurrent/plain_step.h"

namespace elman {
namespace {

using Objects = std::vector<py::object>;

// What a module is, in the words of its constructor.
struct Module {
  std::string cell;
  int I = 0, H = 0;
  bool bidirectional = false, bias = true, batch_first = false;
  bool one_step = false;  // a cell: no axis for steps or layers, and its state is all it gives
};

template <class T> class Call {
 public:
  Call(const Tensors& tensors, const Module& module) : tensors_(tensors), module_(module) {}

  // Each returns whether this is a call that is done here.
  bool read_weights(const Objects& objects) {
    const Isa& isa = current_isa();
    const CellRef& cell = find_cell(isa, module_.cell);
    const std::size_t each = module_.bias ? 4 : 2, D = module_.bidirectional ? 2 : 1, count = objects.size();
    const int I = module_.I, H = module_.H;
    if (!count || count % (each * D) || cell.facts->vector_count() || I < 1 || H < 1 || I > largest_size ||
        H > largest_size / 4)
      return false;
    stack_.emplace(Stack{isa, cell, I, H, static_cast<int>(count / (each * D)), static_cast<int>(D)});
    const py::ssize_t rows = elements({cell.facts->gate_count(), H});
    for (std::size_t i = 0; i < count; i += each) {
      Weights<T>& one = weights_.emplace_back();
      one.H = H;
      one.I = stack_->inputs(static_cast<int>(i / each / D));
      if (!read(objects[i], {rows, one.I}, &one.ih) || !read(objects[i + 1], {rows, H}, &one.hh))
        return false;
      if (module_.bias &&
          (!read(objects[i + 2], {rows}, &one.bias_ih) || !read(objects[i + 3], {rows}, &one.bias_hh)))
        return false;
    }
    return true;
  }

  bool read_input(const View& x) {
    const int full = module_.one_step ? 2 : 3;
    batched_ = x.axes == full;
    if (x.axes != full && x.axes != full - 1) return false;
    lead_.assign(x.sizes.begin(), x.sizes.begin() + x.axes - 1);
    turned_ = module_.batch_first && batched_;
    const py::ssize_t steps = module_.one_step ? 1 : lead_[turned_ ? 1 : 0];
    const py::ssize_t B = !batched_ ? 1 : module_.one_step ? lead_[0] : lead_[turned_ ? 0 : 1];
    const py::ssize_t rows = elements({steps, B});
    if (rows < 1 || rows > INT32_MAX || x.sizes[x.axes - 1] != module_.I) return false;
    steps_ = static_cast<int>(steps);
    B_ = static_cast<int>(B);
    x_ = static_cast<const T*>(x.data);
    if (!module_.one_step) state_shape_.push_back(stack_->parts());
    if (batched_) state_shape_.push_back(B);
    state_shape_.push_back(module_.H);
    return x.is_double == std::is_same_v<T, double>;
  }

  bool read_states(const Objects& states) {
    if (!states.empty() && states.size() != std::size_t(stack_->facts().state_count())) return false;
    for (std::size_t k = 0; k < states.size(); ++k) {
      View view;
      if (!tensors_.look(states[k], &view) || view.is_double != std::is_same_v<T, double> ||
          !std::equal(state_shape_.begin(), state_shape_.end(), view.sizes.begin()) ||
          view.axes != static_cast<int>(state_shape_.size()))
        return false;
      initial_[k] = static_cast<const T*>(view.data);
    }
    return true;
  }

  // The results as the module gives them; None if a call over packed weights is due, and `kept` (which may be
  // null) are not those of these.
  py::object run(const KeptHolder<T>& kept) {
    const ForcedSchedule wanted = schedule_of_environment();
    bool done = steps_ == 1 && stack_->D == 1 && plain_step_pays<T>(*stack_, B_);
    {
      const Unlocked unlocked;
      if (done) {
        run_plain(wanted);
      } else if (const PackedStack<T>* packed = kept ? kept->find(*stack_, views_) : nullptr) {
        run_packed(*packed, kept->plans(steps_, B_, turned_), wanted);
        done = true;
      }
    }
    return done ? results() : py::none();
  }

 private:
  bool read(const py::object& weight, std::initializer_list<py::ssize_t> shape, const T** to) {
    return tensors_.look(weight, &views_.emplace_back()) && views_.back().is<T>(shape, to);
  }

  T* of(const Buffer<char>& memory) const { return reinterpret_cast<T*>(memory.data()); }

  Buffer<char> numbers(std::size_t count) const { return Buffer<char>(count * sizeof(T)); }

  void make_results() {
    for (int k = 0; k < stack_->facts().state_count(); ++k)
      final_[k] = numbers(std::size_t(stack_->parts()) * B_ * stack_->H);
    if (!module_.one_step) y_ = numbers(std::size_t(steps_) * B_ * stack_->width());
  }

  void run_plain(ForcedSchedule wanted) {
    make_results();
    PlainStep<T> step{*stack_, weights_};
    step.B = B_;
    step.x = x_;
    step.y = of(y_);
    for (int k = 0; k < stack_->facts().state_count(); ++k) {
      step.initial[k] = initial_[k];
      step.final[k] = of(final_[k]);
    }
    step.wanted = wanted;
    run_plain_step(step);
  }

  void run_packed(const PackedStack<T>& packed, const Plans& plans, ForcedSchedule wanted) {
    make_results();
    ForwardCall<T> call;
    call.packed = &packed;
    for (const auto& plan : plans) call.plans.push_back(plan.get());
    call.wanted = wanted;
    call.x = x_;
    call.y = module_.one_step ? of(final_[0]) : of(y_);  // a cell's y is its h
    for (int k = 0; k < stack_->facts().state_count(); ++k) {
      call.initial[k] = initial_[k];
      call.final[k] = of(final_[k]);
    }
    run_forward(call);
    if (turned_ && steps_ > 1 && B_ > 1) turn();
  }

  // y [B, T] to [T, B], which torch.nn has in memory with batch_first too.
  void turn() {
    const std::size_t width = stack_->width(), row = width * sizeof(T);
    Buffer<char> turned(y_.size());
    ThreadTeam team(num_threads());
    const int threads = threads_for_streaming(double(y_.size()), team.size(), team.warm());
    share(team, threads, steps_, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t)
        for (int64_t b = 0; b < B_; ++b)
          std::memcpy(turned.data() + (t * B_ + b) * row, y_.data() + (b * steps_ + t) * row, row);
    });
    y_ = std::move(turned);
  }

  py::object results() {
    const int states = stack_->facts().state_count();
    Objects parts;
    for (int k = 0; k < states; ++k)
      parts.push_back(tensors_.make(std::move(final_[k]), state_shape_, sizeof(T)));
    const py::object state = states == 1 ? parts[0] : py::object(py::tuple(py::cast(parts)));
    if (module_.one_step) return state;
    std::vector<py::ssize_t> shape = lead_;
    shape.push_back(stack_->width());
    return py::make_tuple(tensors_.make(std::move(y_), shape, sizeof(T), turned_), state);
  }

  const Tensors& tensors_;
  const Module& module_;
  std::optional<Stack> stack_;
  std::vector<View> views_;  // of the weights, in torch's order
  std::vector<Weights<T>> weights_;
  std::vector<py::ssize_t> lead_, state_shape_;
  bool batched_ = false, turned_ = false;
  int steps_ = 0, B_ = 0;
  const T* x_ = nullptr;
  const T* initial_[max_states] = {};
  Buffer<char> y_, final_[max_states];
};

template <class T>
py::object run_as(const Tensors& tensors, const Module& module, const py::object& kept,
                  const Objects& weights, const View& x, const Objects& states) {
  Call<T> call(tensors, module);
  if (!call.read_weights(weights) || !call.read_input(x) || !call.read_states(states)) return py::none();
  return call.run(py::isinstance<Kept<T>>(kept) ? kept.cast<KeptHolder<T>>() : nullptr);
}

Objects states_of(const py::object& hx) {
  if (hx.is_none()) return {};
  if (py::isinstance<py::tuple>(hx) || py::isinstance<py::list>(hx)) return hx.cast<Objects>();
  return {hx};
}

// `gradients`: whether they are taken, where a tensor wants them. `kept`: the packed weights of the last
// call.
py::object run(const Tensors& tensors, const Module& module, const py::object& kept, const Objects& weights,
               const py::object& x, const py::object& hx, bool gradients) {
  const Objects states = states_of(hx);
  if (states.size() == 1 && !states[0].is(hx)) return py::none();  // [h], where h was expected
  View view;
  if (!tensors.look(x, &view)) return py::none();
  const auto wants = [&](const py::object& one) {
    return !tensors.reads(one) || tensors.wants_gradient(one);
  };
  if (gradients) {
    for (const py::object& one : weights)
      if (wants(one)) return py::none();
    for (const py::object& one : states)
      if (wants(one)) return py::none();
    if (wants(x)) return py::none();
  }
  return view.is_double ? run_as<double>(tensors, module, kept, weights, view, states)
                        : run_as<float>(tensors, module, kept, weights, view, states);
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
                       bool one_step) {
             return Module{std::move(cell), I, H, bidirectional, bias, batch_first, one_step};
           }),
           py::arg("cell"), py::arg("I"), py::arg("H"), py::arg("bidirectional"), py::arg("bias"),
           py::arg("batch_first"), py::arg("one_step"));
  py::class_<Tensors>(m, "Tensors")
      .def(py::init<py::tuple, py::object, py::object, py::object, py::object>(), py::arg("types"),
           py::arg("negated"), py::arg("wants_gradient"), py::arg("give"), py::arg("take"))
      .def("new", &new_tensor, py::arg("shape"), py::arg("itemsize"))
      .def("fingerprint", &fingerprint, py::arg("weights"))
      .def("run", &run, py::arg("module"), py::arg("kept"), py::arg("weights"), py::arg("x"), py::arg("hx"),
           py::arg("gradients"));
}

}  // namespace elman
