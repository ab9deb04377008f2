// Tapes.
#include "bind/tape.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>

#include "bind/parts.h"

namespace elman {
namespace {

bool is_single(const py::object& given) {
  const py::dtype dtype = py::dtype::from_args(given);
  if (dtype.equal(py::dtype::of<float>())) return true;
  if (dtype.equal(py::dtype::of<double>())) return false;
  throw py::value_error("dtype: expected float32 or float64, got " + py::str(dtype).cast<std::string>());
}

const PlanList& checked(const PlanList& plans) {
  check_plans(plans);
  return plans;
}

// Tapes of plans that differ can be equally large, but what lies in them does not fit.
bool match(const PlanList& a, const PlanList& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& one, const auto& other) { return one->matches(*other); });
}

std::vector<int64_t> entries_of(const PlanList& plans, const Checkpoints& checkpoints) {
  std::vector<int64_t> entries;
  for (std::size_t d = 0; d < plans.size(); ++d)
    entries.push_back(checkpoints ? checkpoints.rows(static_cast<int>(d)) : plans[d]->total());
  return entries;
}

Checkpoints checkpoints_of(const CellFacts& cell, int H, bool single, const PlanList& plans, int every) {
  if (every < 0) throw py::value_error("checkpoint_every: expected 0 or more, got " + std::to_string(every));
  std::vector<PlanView> views;
  for (const auto& plan : plans) views.push_back(plan->view());
  const int64_t bytes = int64_t{cell.columns()} * H * (single ? sizeof(float) : sizeof(double));
  return every ? Checkpoints(views, every, bytes) : Checkpoints();
}

// The data of an array of at least `size` elements.
template <class T> T* at_least(const py::object& object, py::ssize_t size, const char* name) {
  if (is_plain<T>(object)) {
    const auto array = py::reinterpret_borrow<py::array>(object);
    if (array.size() >= size && array.writeable()) return static_cast<T*>(const_cast<void*>(array.data()));
  }
  throw py::value_error(std::string(name) + ": expected a writeable C-contiguous " + type_name<T>() +
                        " array of at least " + std::to_string(size) + " elements, got " + describe(object));
}

// What a tape of any steps and rows holds at most, by its sizes:
// H * (entry * steps + row * rows) + number * steps + rest.
py::tuple tape_room(const std::string& cell, py::ssize_t L, py::ssize_t D, bool masked) {
  const TapeLayout::Room room = TapeLayout::room(*find_cell(current_isa(), cell).facts,
                                                 checked_size(L, 1, "L"), checked_size(D, 1, "D"), masked);
  return py::make_tuple(room.entry, room.row, room.number, room.rest);
}

}  // namespace

void check_plans(const PlanList& plans) {
  if (plans.empty()) throw py::value_error("plans: expected one for each direction");
  const Plan& first = held(plans[0], "plans");
  for (const auto& plan : plans)
    if (held(plan, "plans").rows != first.rows || plan->B != first.B)
      throw py::value_error("plans: expected all to be of one number of rows and of sequences");
}

HeldTape::HeldTape(const std::string& cell_, py::ssize_t H_, py::ssize_t L_, const PlanList& plans_,
                   const py::object& dtype, const py::object& memory_, const py::object& factors_,
                   int checkpoint_every)
    : cell(*find_cell(current_isa(), cell_).facts),
      H(checked_size(H_, 1, "H")),
      L(checked_size(L_, 1, "L")),
      plans(checked(plans_)),
      memory(memory_),
      factors(factors_),
      single_(is_single(dtype)),
      checkpoints_(checkpoints_of(cell, H, single_, plans, checkpoint_every)),
      layout(cell, H, L, entries_of(plans, checkpoints_), plans[0]->rows, !factors_.is_none(),
             !checkpoints_) {
  if (memory.is_none())
    memory = empty({layout.size()}, single_ ? py::dtype::of<float>() : py::dtype::of<double>());
  if (single_) view<float>();
  else view<double>();
}

template <class T> Tape<T> HeldTape::view() const {
  Tape<T> tape;
  tape.layout = &layout;
  tape.checkpoints = checkpoints_ ? &checkpoints_ : nullptr;
  tape.memory = at_least<T>(memory, layout.size(), "memory");
  tape.factors = maybe_input<T>(factors, elements({L, D(), plans[0]->B, H}), "factors");
  return tape;
}

template <class T> Tape<T> HeldTape::of(const Stack& stack, const PlanList& of_call) const {
  if (single_ != std::is_same_v<T, float> || std::strcmp(cell.name, stack.facts().name) != 0 ||
      H != stack.H || L != stack.L || !match(plans, of_call))
    throw py::value_error("tape: expected one of this stack and these plans");
  return view<T>();
}

template Tape<float> HeldTape::of(const Stack&, const PlanList&) const;
template Tape<double> HeldTape::of(const Stack&, const PlanList&) const;

template <class T> std::shared_ptr<const PackedStack<T>> HeldTape::ran_on(const Stack& stack) const {
  if (!checkpoints_) return nullptr;
  const auto again = std::static_pointer_cast<const PackedStack<T>>(again_);
  if (!again || again->I != stack.I || again->D != stack.D)
    throw py::value_error("tape: expected one that a forward pass of this stack has filled");
  return again;
}

template std::shared_ptr<const PackedStack<float>> HeldTape::ran_on(const Stack&) const;
template std::shared_ptr<const PackedStack<double>> HeldTape::ran_on(const Stack&) const;

py::array HeldTape::y() const {
  const std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(plans[0]->rows), D() * H};
  if (single_) return py::array_t<float>(shape, view<float>().y(L - 1), memory);
  return py::array_t<double>(shape, view<double>().y(L - 1), memory);
}

void bind_tape(py::module_& m) {
  using Held = std::shared_ptr<HeldTape>;
  py::class_<HeldTape, Held>(m, "Tape")
      .def(py::init<const std::string&, py::ssize_t, py::ssize_t, const PlanList&, const py::object&,
                    const py::object&, const py::object&, int>(),
           py::arg("cell"), py::arg("H"), py::arg("L"), py::arg("plans"), py::arg("dtype"),
           py::arg("memory") = py::none(), py::arg("factors") = py::none(), py::arg("checkpoint_every") = 0)
      .def_property_readonly("memory", [](const Held& tape) { return tape->memory; })
      .def_property_readonly("y", [](const Held& tape) { return tape->y(); });
  m.def("tape_room", &tape_room, py::arg("cell"), py::arg("L"), py::arg("D"), py::arg("masked"));
}

}  // namespace elman
