// One update by an optimiser, the sum of gradients and their norm, over all of a model's arrays at once.
#pragma once

#include <vector>

#include "kernels/updates.h"

namespace elman {

// The rule is Sgd, RmsProp or Adam.
template <class Rule, class T> void run_update(const Rule& rule, const std::vector<Slice<T>>& arrays);

// Adds to every value its gradient.
template <class T> void run_add(const std::vector<Slice<T>>& arrays);

// The sum of all gradients' squares, added in one order whatever the threads and the instruction set.
template <class T> double run_sum_of_squares(const std::vector<Slice<T>>& arrays);

}  // namespace elman
