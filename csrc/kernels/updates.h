// The optimisers' rules.
#pragma once

#include <cstdint>

namespace elman {

// What an optimiser does to an element p with gradient g. It takes the gradient as scale g + decay p. The
// equations in optim/update_kernel.h use the names of these fields.
template <class T> struct Rule {
  T rate, scale, decay;
};
template <class T> struct Sgd : Rule<T> {
  static constexpr int least_states = 0, most_states = 1;  // the mean of gradients, with momentum
  T momentum;
  bool nesterov;
};
template <class T> struct RmsProp : Rule<T> {
  static constexpr int least_states = 1, most_states = 2;  // the mean square; that of steps, with momentum
  T keep, add, epsilon, momentum;
};
template <class T> struct Adam : Rule<T> {
  static constexpr int least_states = 2, most_states = 2;  // the first and the second moment
  T shrink, keep_first, add_first, keep_second, add_second, epsilon;
};
constexpr int max_rule_states = 2;

template <class T> struct Slice {  // parameters that lie together, and what belongs to them
  T* value = nullptr;
  const T* grad = nullptr;
  T* state[max_rule_states] = {};  // null where the rule has none
  int64_t count = 0;
};

template <class T> struct UpdateKernels {  // the optimisers, over short slices
  void (*sgd)(const Sgd<T>&, const Slice<T>&);
  void (*rmsprop)(const RmsProp<T>&, const Slice<T>&);
  void (*adam)(const Adam<T>&, const Slice<T>&);
  void (*add)(const Slice<T>&);  // value += grad
  double (*sum_of_squares)(const T* x, int n);
};

}  // namespace elman
