// The weights of a stack as Python has them.
#pragma once

#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include "bind/parts.h"
#include "recurrent/stack.h"

namespace elman {

using Arrays = std::vector<py::object>;
// [layer][direction]: weight_ih, weight_hh, bias_ih, bias_hh and the cell's vectors, or their gradients.
using Nested = std::vector<std::vector<Arrays>>;

inline py::array as_array(const py::object& object, const char* name) {
  if (!py::isinstance<py::array>(object))
    throw py::value_error(std::string(name) + ": expected an array, got " + describe(object));
  return py::reinterpret_borrow<py::array>(object);
}

// [x gates * H, I], [h gates * H, H / heads] and the biases, as pointers. Of a cell that h does not feed
// weight_hh is None.
template <class T> Weights<T> read_weights(const CellFacts& cell, bool of_programs, const Arrays& part) {
  const py::array ih = as_array(part[0], "weight_ih");
  Weights<T> w;
  w.I = checked_size(checked_shape(ih, 2, "weight_ih")[1], 0, "weight_ih");
  const bool fed = cell.h_gates() > 0;
  w.H = checked_size(ih.shape(0) / cell.x_gates(), 1, "weight_ih");
  const py::ssize_t x_rows = elements({cell.x_gates(), w.H}), h_rows = elements({cell.h_gates(), w.H});
  if (ih.shape(0) != x_rows)
    throw py::value_error("weights: expected weight_ih [gates * H, I] and weight_hh [gates * H, H]");
  w.ih = input<T>(ih, elements({x_rows, w.I}), "weight_ih");
  w.bias_ih = maybe_input<T>(part[2], x_rows, "bias_ih");
  if (fed) {
    const py::array hh = as_array(part[1], "weight_hh");
    const int K = checked_size(checked_shape(hh, 2, "weight_hh")[1], 1, "weight_hh");
    if (hh.shape(0) != h_rows || w.H % K || (K != w.H && !of_programs))
      throw py::value_error("weights: expected weight_ih [gates * H, I] and weight_hh [gates * H, H]");
    w.heads = w.H / K;
    w.hh = input<T>(hh, elements({h_rows, K}), "weight_hh");
    w.bias_hh = maybe_input<T>(part[3], h_rows, "bias_hh");
  } else if (!part[1].is_none() || !part[3].is_none()) {
    throw py::value_error("weights: expected None for weight_hh and bias_hh, which the cell has not");
  }
  for (int k = 0; k < cell.vector_count(); ++k) w.vectors[k] = input<T>(part[4 + k], w.H, cell.vectors[k]);
  return w;
}

// Checks that each of D directions of L layers has as many arrays as the cell needs, or none where it may.
inline void check_nested(const CellFacts& cell, const Nested& nested, size_t L, size_t D, const char* name,
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
    for (const Arrays& part : layer)
      weights.push_back(read_weights<T>(*cell.facts, cell_kernels<T>(cell).cell != nullptr, part));
  const Weights<T>& first = weights.front();
  const auto size = [](py::ssize_t n, const char* name) { return checked_size(n, 1, name); };
  const Stack stack{
      isa,        cell, first.I, first.H, size(py::ssize_t(L), "layers"), size(py::ssize_t(D), "directions"),
      first.heads};
  size(elements({stack.L, stack.D}), "layers");
  size(elements({stack.D, stack.H}), "directions");
  for (size_t i = 0; i < weights.size(); ++i)
    if (weights[i].H != stack.H || weights[i].heads != stack.heads ||
        weights[i].I != stack.inputs(static_cast<int>(i / D)))
      throw py::value_error(
          "weights: expected all of one hidden size, layers that read x [.., I] and then "
          "the D * H of the layer below");
  return {stack, std::move(weights)};
}

}  // namespace elman
