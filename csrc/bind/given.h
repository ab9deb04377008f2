// What a call of a library's module is given: the module in the words of its constructor, and the tensors,
// read where they lie. All calls that take tensors read them here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bind/tensors.h"
#include "recurrent/stack.h"

namespace elman {

using Objects = std::vector<py::object>;
using Shape = std::vector<py::ssize_t>;

struct Module {
  std::string cell;
  int I = 0, H = 0;
  bool bidirectional = false, bias = true, batch_first = false;
  bool one_step = false;  // a cell: no axis for steps or layers, and its state is all it gives
  int heads = 1;

  const CellFacts& facts() const { return *find_cell(current_isa(), cell).facts; }

  // Whether it takes less time to ask whether tensors are the same ones than to read their numbers.
  bool large() const { return elements({facts().x_gates(), H}) * (I + H / heads) >= 1 << 17; }
};

// The fields of Weights, or of Gradients, that a layer and direction of the module has, in the order of its
// tensors.
template <class One> auto fields(One& one, const CellFacts& cell, bool bias) {
  std::vector<decltype(&one.ih)> there{&one.ih};
  const bool fed = cell.h_gates() > 0;
  if (fed) there.push_back(&one.hh);
  if (bias) there.push_back(&one.bias_ih);
  if (bias && fed) there.push_back(&one.bias_hh);
  for (int k = 0; k < cell.vector_count(); ++k) there.push_back(&one.vectors[k]);
  return there;
}

// Their shapes.
inline std::vector<Shape> field_shapes(const CellFacts& cell, int I, int H, int heads, bool bias) {
  const py::ssize_t of_x = elements({cell.x_gates(), H}), of_h = elements({cell.h_gates(), H});
  std::vector<Shape> shapes{{of_x, I}};
  if (of_h) shapes.push_back({of_h, H / heads});
  if (bias) shapes.push_back({of_x});
  if (bias && of_h) shapes.push_back({of_h});
  shapes.resize(shapes.size() + cell.vector_count(), {H});
  return shapes;
}

// Each `read` returns whether these can be read and fit. That is no error: the caller goes the long way,
// which words refusals. Weights are read first, then x.
template <class T> class Given {
 public:
  Given(const Tensors& tensors, const Module& module) : tensors_(tensors), module_(module) {}

  bool read_weights(const Objects& objects) {
    const Isa& isa = current_isa();
    const CellRef& cell = find_cell(isa, module_.cell);
    const CellFacts& facts = *cell.facts;
    const int I = module_.I, H = module_.H, D = module_.bidirectional ? 2 : 1;
    if (facts.scalar_count() || I < 1 || H < 1 || I > largest_size || H > largest_size / max_slots)
      return false;
    if (module_.heads < 1 || H % module_.heads || (module_.heads > 1 && !cell_kernels<T>(cell).cell))
      return false;
    const std::size_t each = arrays(), parts = objects.size() / each;
    if (!parts || objects.size() % (each * D)) return false;
    stack_.emplace(Stack{isa, cell, I, H, static_cast<int>(parts) / D, D, module_.heads});
    for (std::size_t part = 0; part < parts; ++part) {
      Weights<T>& one = weights_.emplace_back();
      one.H = H;
      one.heads = module_.heads;
      one.I = stack_->inputs(static_cast<int>(part) / D);
      const auto to = fields(one, facts, module_.bias);
      const std::vector<Shape> shapes = field_shapes(facts, one.I, H, module_.heads, module_.bias);
      for (std::size_t i = 0; i < each; ++i)
        if (!tensors_.look(objects[part * each + i], &views_.emplace_back()) ||
            !views_.back().is<T>(shapes[i], to[i]))
          return false;
    }
    return true;
  }

  // Of each layer and direction.
  std::size_t arrays() const {
    Weights<T> any;
    return fields(any, module_.facts(), module_.bias).size();
  }

  bool read_x(const py::object& object) {
    View view;
    const int full = module_.one_step ? 2 : 3;
    if (!look(object, &view) || (view.axes != full && view.axes != full - 1)) return false;
    batched_ = view.axes == full;
    turned_ = module_.batch_first && batched_;
    lead_.assign(view.sizes.begin(), view.sizes.begin() + view.axes - 1);
    const py::ssize_t steps = module_.one_step ? 1 : lead_[turned_ ? 1 : 0];
    const py::ssize_t B = !batched_ ? 1 : module_.one_step ? lead_[0] : lead_[turned_ ? 0 : 1];
    const py::ssize_t rows = elements({steps, B});
    if (rows < 1 || rows > INT32_MAX || view.sizes[view.axes - 1] != module_.I) return false;
    steps_ = static_cast<int>(steps);
    B_ = static_cast<int>(B);
    x_ = static_cast<const T*>(view.data);
    if (!module_.one_step) state_shape_.push_back(stack_->parts());
    if (batched_) state_shape_.push_back(B);
    state_shape_.push_back(module_.H);
    return true;
  }

  // Initial states, none or all.
  bool read_states(const Objects& objects, const T** to) const {
    const auto is_none = [](const py::object& object) { return object.is_none(); };
    return (objects.empty() || objects.size() == states()) &&
           std::none_of(objects.begin(), objects.end(), is_none) && read_some_states(objects, to);
  }

  // The same, or their gradients; None is left out.
  bool read_some_states(const Objects& objects, const T** to) const {
    if (objects.size() > states()) return false;
    for (std::size_t k = 0; k < objects.size(); ++k) {
      View view;
      if (objects[k].is_none()) continue;
      if (!look(objects[k], &view) || view.shape() != state_shape_) return false;
      to[k] = static_cast<const T*>(view.data);
    }
    return true;
  }

  bool look(const py::object& object, View* view) const {
    return tensors_.look(object, view) && view->is_double == std::is_same_v<T, double>;
  }

  const Module& module() const { return module_; }
  const Stack& stack() const { return *stack_; }
  std::size_t states() const { return std::size_t(stack_->facts().state_count()); }
  const std::vector<Weights<T>>& weights() const { return weights_; }
  const std::vector<View>& views() const { return views_; }  // of the weights, in torch's order
  const T* x() const { return x_; }
  int steps() const { return steps_; }
  int B() const { return B_; }
  bool batched() const { return batched_; }
  bool turned() const { return turned_; }  // x is [B, T, I]
  bool single_step() const { return steps_ == 1 && stack_->D == 1; }
  bool gives_y() const { return !module_.one_step; }  // of a cell it is h

  static Buffer<char> numbers(std::size_t count) { return Buffer<char>(count * sizeof(T)); }
  static T* of(const Buffer<char>& memory) { return reinterpret_cast<T*>(memory.data()); }
  Buffer<char> new_y() const { return numbers(std::size_t(steps_) * B_ * stack_->width()); }
  Buffer<char> new_state() const { return numbers(std::size_t(stack_->parts()) * B_ * stack_->H); }

  py::object make(Buffer<char> memory, const Shape& shape) const {
    return tensors_.make(std::move(memory), shape, sizeof(T));
  }
  py::object make_state(Buffer<char> memory) const { return make(std::move(memory), state_shape_); }
  py::object make_x(Buffer<char> memory) const { return make(std::move(memory), with_lead(module_.I)); }
  // Its steps lie outermost, which torch.nn has in memory with batch_first too.
  py::object make_y(Buffer<char> memory) const {
    return tensors_.make(std::move(memory), with_lead(stack_->width()), sizeof(T), turned_);
  }

  // What the module gives, of y (not of a cell) and each final state.
  py::object results(const Objects& made) const {
    const Objects final(made.begin() + gives_y(), made.end());
    const py::object state = final.size() == 1 ? final[0] : py::object(py::tuple(py::cast(final)));
    return gives_y() ? py::object(py::make_tuple(made[0], state)) : state;
  }

 private:
  Shape with_lead(int last) const {
    Shape shape = lead_;
    shape.push_back(last);
    return shape;
  }

  const Tensors& tensors_;
  const Module& module_;
  std::optional<Stack> stack_;
  std::vector<View> views_;
  std::vector<Weights<T>> weights_;
  Shape lead_, state_shape_;  // lead_: of x without its last axis
  bool batched_ = false, turned_ = false;
  int steps_ = 0, B_ = 0;
  const T* x_ = nullptr;
};

}  // namespace elman
