// What Python gives a scan: addresses on the device under names that are known, those that it needs not 0.
// Whoever holds the arrays (elman.stack.gpu) has checked their shapes.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/job.h"

namespace elman::cuda {

using Address = std::uintptr_t;
using Addresses = std::vector<Address>;  // one for each state, or for each beyond h

// PlanView's fields, by keyword. Without steps all of its arrays may be empty, and an empty array has no
// address.
PlanView plan_of(const pybind11::kwargs& given);

// ForwardSide and BackwardSide (job.h) before the element type is known: their fields, by keyword.
struct ForwardArguments {
  static constexpr const char* name = "ForwardSide";
  static constexpr bool backward = false;
  PlanView plan;
  Address products, weight, bias, y, slots, carry;
  Addresses initial, final, states;

  explicit ForwardArguments(const pybind11::kwargs& given);
  void check_states(const CellFacts& cell) const;
  // Whether all rows begin at multiples of two elements of so many bytes.
  bool paired(int element_bytes) const;
  template <class T> ForwardSide<T> side() const;
};

struct BackwardArguments {
  static constexpr const char* name = "BackwardSide";
  static constexpr bool backward = true;
  PlanView plan;
  Address weight, y, dy, slots, carry;
  Addresses initial, dfinal, dinitial, states;

  explicit BackwardArguments(const pybind11::kwargs& given);
  void check_states(const CellFacts& cell) const;
  bool paired(int element_bytes) const;
  template <class T> BackwardSide<T> side() const;
};

template <class V> V* pointer(Address address) { return reinterpret_cast<V*>(address); }

// To the last places of `to`, as many as there are addresses.
template <class V> void point(V** to, int count, const Addresses& addresses) {
  to += count - static_cast<int>(addresses.size());
  for (const Address address : addresses) *to++ = pointer<V>(address);
}

template <class T> ForwardSide<T> ForwardArguments::side() const {
  ForwardSide<T> to;
  const int count = static_cast<int>(final.size());
  to.plan = plan;
  to.products = pointer<const T>(products);
  to.weight = pointer<const T>(weight);
  to.bias = pointer<const T>(bias);
  to.y = pointer<T>(y);
  to.slots = pointer<T>(slots);
  to.carry = pointer<float>(carry);
  point(to.initial, count, initial);
  point(to.final, count, final);
  point(to.states, count, states);
  return to;
}

template <class T> BackwardSide<T> BackwardArguments::side() const {
  BackwardSide<T> to;
  const int count = static_cast<int>(dinitial.size());
  to.plan = plan;
  to.weight = pointer<const T>(weight);
  to.y = pointer<const T>(y);
  to.dy = pointer<const T>(dy);
  to.slots = pointer<T>(slots);
  to.carry = pointer<float>(carry);
  point(to.initial, count, initial);
  point(to.dfinal, count, dfinal);
  point(to.dinitial, count, dinitial);
  point(to.states, count, states);
  return to;
}

}  // namespace elman::cuda
