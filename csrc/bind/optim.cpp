// Optimisers, and sums and the norm of gradients, over lists of arrays.
#include <pybind11/stl.h>

#include "bind/parts.h"
#include "optim/update.h"

namespace elman {
namespace {

using List = std::vector<py::object>;
using Lists = std::vector<List>;  // values, grads and each state

py::ssize_t size_of(const py::object& object, const char* name) {
  if (!py::isinstance<py::array>(object)) throw py::value_error(std::string(name) + ": expected arrays");
  return py::reinterpret_borrow<py::array>(object).size();
}

// The type of the first array decides which functions run. They check that all arrays have it.
bool is_double(const List& list) {
  return !list.empty() && py::isinstance<py::array_t<double>>(list.front());
}

template <class T> std::vector<Slice<T>> read_grads(const List& grads, const char* name) {
  std::vector<Slice<T>> slices(grads.size());
  for (size_t i = 0; i < grads.size(); ++i) {
    slices[i].count = size_of(grads[i], name);
    slices[i].grad = input<T>(grads[i], slices[i].count, name);
  }
  return slices;
}

// The data of an array of so many elements that is written to.
template <class T> T* written(const py::object& object, int64_t count, const char* name) {
  size_of(object, name);  // None would be no array
  return output<T>(object, count, name);
}

template <class T> std::vector<Slice<T>> read_all(const Lists& arrays, int least_states, int most_states) {
  const int states = static_cast<int>(arrays.size()) - 2;
  if (states < least_states || states > most_states)
    throw py::value_error("arrays: expected values, grads and the rule's states");
  for (const List& list : arrays)
    if (list.size() != arrays[0].size()) throw py::value_error("arrays: expected lists of one length");
  std::vector<Slice<T>> slices = read_grads<T>(arrays[1], "grads");
  for (size_t i = 0; i < slices.size(); ++i) {
    Slice<T>& slice = slices[i];
    slice.value = written<T>(arrays[0][i], slice.count, "values");
    for (int k = 0; k < states; ++k) slice.state[k] = written<T>(arrays[2 + k][i], slice.count, "states");
  }
  return slices;
}

template <class T, class Rule> void run(const Lists& arrays, const Rule& rule) {
  const std::vector<Slice<T>> slices = read_all<T>(arrays, Rule::least_states, Rule::most_states);
  const Unlocked unlocked;
  run_update(rule, slices);
}

// `rule(zero)`: the rule with coefficients of the type of zero.
template <class F> void update(const Lists& arrays, const F& rule) {
  if (arrays.size() < 2) throw py::value_error("arrays: expected values and grads");
  if (is_double(arrays[0])) run<double>(arrays, rule(double{}));
  else run<float>(arrays, rule(float{}));
}

void sgd(const Lists& arrays, double rate, double scale, double decay, double momentum, bool nesterov) {
  update(arrays, [&](auto zero) {
    using T = decltype(zero);
    return Sgd<T>{{T(rate), T(scale), T(decay)}, T(momentum), nesterov};
  });
}

void rmsprop(const Lists& arrays, double rate, double scale, double decay, double keep, double epsilon,
             double momentum) {
  update(arrays, [&](auto zero) {
    using T = decltype(zero);
    return RmsProp<T>{{T(rate), T(scale), T(decay)}, T(keep), T(1 - keep), T(epsilon), T(momentum)};
  });
}

void adam(const Lists& arrays, double rate, double scale, double decay, double shrink, double keep_first,
          double keep_second, double epsilon) {
  update(arrays, [&](auto zero) {
    using T = decltype(zero);
    return Adam<T>{{T(rate), T(scale), T(decay)},
                   T(shrink),
                   T(keep_first),
                   T(1 - keep_first),
                   T(keep_second),
                   T(1 - keep_second),
                   T(epsilon)};
  });
}

template <class T> void add(const List& to, const List& added) {
  if (to.size() != added.size())
    throw py::value_error("added: expected as many arrays as `to` (" + std::to_string(to.size()) + "), got " +
                          std::to_string(added.size()));
  std::vector<Slice<T>> slices = read_grads<T>(added, "added");
  for (size_t i = 0; i < slices.size(); ++i) slices[i].value = written<T>(to[i], slices[i].count, "to");
  const Unlocked unlocked;
  run_add(slices);
}

template <class T> double sum_of_squares(const List& grads) {
  const std::vector<Slice<T>> slices = read_grads<T>(grads, "grads");
  const Unlocked unlocked;
  return run_sum_of_squares(slices);
}

}  // namespace

void bind_optim(py::module_& m) {
  const py::arg arrays("arrays"), rate("rate"), scale("scale"), decay("decay"), epsilon("epsilon");
  m.def("sgd", &sgd, arrays, rate, scale, decay, py::arg("momentum"), py::arg("nesterov"));
  m.def("rmsprop", &rmsprop, arrays, rate, scale, decay, py::arg("keep"), epsilon, py::arg("momentum"));
  m.def("adam", &adam, arrays, rate, scale, decay, py::arg("shrink"), py::arg("keep_first"),
        py::arg("keep_second"), epsilon);
  m.def(
      "add",
      [](const List& to, const List& added) {
        is_double(to) ? add<double>(to, added) : add<float>(to, added);
      },
      py::arg("to"), py::arg("added"));
  m.def(
      "sum_of_squares",
      [](const List& grads) {
        return is_double(grads) ? sum_of_squares<double>(grads) : sum_of_squares<float>(grads);
      },
      py::arg("grads"));
}

}  // namespace elman
