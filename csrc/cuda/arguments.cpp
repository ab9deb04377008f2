#include "cuda/arguments.h"

#include <pybind11/stl.h>

namespace elman::cuda {
namespace {

namespace py = pybind11;

// The keyword arguments of one struct. Each is asked for once; `refuse` then names what is unknown, missing
// or 0.
class Given {
 public:
  Given(const char* what, const py::kwargs& given) : what_(what) {
    for (const auto& [key, value] : given) left_[key] = value;
  }

  int count(const char* name) {
    const int n = needed<int>(name, "a count");
    if (n < 0) throw py::value_error(of(name) + "expected a count, got " + std::to_string(n));
    return n;
  }
  Address address(const char* name) {
    const Address found = needed<Address>(name, "an address");
    if (found == 0) note(zero_, name);
    return found;
  }
  Address address_or_none(const char* name) { return has(name) ? take<Address>(name, "an address") : 0; }
  Addresses addresses(const char* name) {
    const Addresses found = needed<Addresses>(name, "a list of addresses");
    for (const Address one : found)
      if (one == 0) return note(zero_, name), found;
    return found;
  }
  Addresses addresses_or_none(const char* name) {
    return has(name) ? take<Addresses>(name, "a list of addresses") : Addresses{};
  }
  PlanView plan() { return needed<PlanView>("plan", "a Plan"); }

  // Last. Only where there is nothing to compute may arrays be empty, with an address of 0.
  void refuse(bool computes) const {
    std::string unknown;
    for (const auto& [key, value] : left_) note(unknown, py::str(key));
    if (!unknown.empty() || !missing_.empty())
      throw py::type_error(std::string(what_) + ":" + (unknown.empty() ? "" : " unknown " + unknown) +
                           (missing_.empty() ? "" : " missing " + missing_));
    if (computes && !zero_.empty())
      throw py::value_error(std::string(what_) + ": expected addresses on the device, got 0 for " + zero_);
  }

 private:
  bool has(const char* name) const { return left_.contains(name); }
  std::string of(const char* name) const { return std::string(what_) + ": " + name + ": "; }
  static void note(std::string& list, const std::string& name) { list += (list.empty() ? "" : ", ") + name; }
  template <class V> V take(const char* name, const char* expected) {
    const py::object value = left_.attr("pop")(name);
    try {
      return value.cast<V>();
    } catch (const py::cast_error&) {
      throw py::type_error(of(name) + "expected " + expected + ", got " + std::string(py::repr(value)));
    }
  }
  template <class V> V needed(const char* name, const char* expected) {
    if (has(name)) return take<V>(name, expected);
    note(missing_, name);
    return {};
  }

  const char* what_;
  py::dict left_;
  std::string missing_, zero_;
};

// One address for each state from `first` on, or none at all where that is allowed.
void check_count(const char* side, const char* name, const Addresses& addresses, const CellFacts& cell,
                 int first, bool or_none) {
  const int wanted = cell.state_count() - first, got = static_cast<int>(addresses.size());
  if (got == wanted || (or_none && got == 0)) return;
  std::string names;
  for (int k = first; k < cell.state_count(); ++k)
    names += (k == first ? "" : ", ") + std::string(cell.states[k]);
  throw py::value_error(std::string(side) + ": " + name + ": expected " + std::to_string(wanted) +
                        " addresses" + (names.empty() ? "" : " (" + names + ")") +
                        (or_none ? " or none" : "") + ", got " + std::to_string(got));
}

bool multiples(const Addresses& addresses, int bytes) {
  for (const Address address : addresses)
    if (address % bytes) return false;
  return true;
}
constexpr int float_pair = 2 * sizeof(float);

}  // namespace

PlanView plan_of(const py::kwargs& given) {
  Given arguments("Plan", given);
  PlanView v;
  v.steps = arguments.count("steps");
  v.segments = arguments.count("segments");
  v.alive = pointer<const int32_t>(arguments.address("alive"));
  v.offset = pointer<const int64_t>(arguments.address("offset"));
  v.index = pointer<const int32_t>(arguments.address("index"));
  v.start = pointer<const int32_t>(arguments.address("start"));
  v.finish = pointer<const int32_t>(arguments.address("finish"));
  arguments.refuse(v.steps > 0);
  return v;
}

ForwardArguments::ForwardArguments(const py::kwargs& given) {
  Given arguments(name, given);
  plan = arguments.plan();
  products = arguments.address("products");
  weight = arguments.address("weight");
  bias = arguments.address_or_none("bias");
  y = arguments.address("y");
  initial = arguments.addresses_or_none("initial");
  final = arguments.addresses("final");
  slots = arguments.address_or_none("slots");
  states = slots ? arguments.addresses("states") : arguments.addresses_or_none("states");
  carry = arguments.address_or_none("carry");
  arguments.refuse(plan.steps > 0);
}

void ForwardArguments::check_states(const CellFacts& cell) const {
  check_count(name, "initial", initial, cell, 0, true);
  check_count(name, "final", final, cell, 0, false);
  check_count(name, "states", states, cell, 1, slots == 0);
}

bool ForwardArguments::paired(int element_bytes) const {
  const int pair = 2 * element_bytes;
  return multiples({products, weight, bias, y, slots}, pair) && multiples(initial, pair) &&
         multiples(final, pair) && multiples(states, float_pair) && multiples({carry}, float_pair);
}

BackwardArguments::BackwardArguments(const py::kwargs& given) {
  Given arguments(name, given);
  plan = arguments.plan();
  weight = arguments.address("weight");
  y = arguments.address("y");
  dy = arguments.address_or_none("dy");
  initial = arguments.addresses_or_none("initial");
  dfinal = arguments.addresses_or_none("dfinal");
  dinitial = arguments.addresses("dinitial");
  slots = arguments.address("slots");
  states = arguments.addresses("states");
  carry = arguments.address_or_none("carry");
  arguments.refuse(plan.steps > 0);
}

void BackwardArguments::check_states(const CellFacts& cell) const {
  check_count(name, "initial", initial, cell, 0, true);
  check_count(name, "dfinal", dfinal, cell, 0, true);
  check_count(name, "dinitial", dinitial, cell, 0, false);
  check_count(name, "states", states, cell, 1, false);
}

bool BackwardArguments::paired(int element_bytes) const {
  const int pair = 2 * element_bytes;
  return multiples({weight, y, dy, slots}, pair) && multiples(initial, pair) && multiples(dfinal, pair) &&
         multiples(dinitial, pair) && multiples(states, float_pair) && multiples({carry}, float_pair);
}

}  // namespace elman::cuda
