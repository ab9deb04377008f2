// One step of a stack in one direction over plain weights, as the caller's arrays hold them. Nothing is made
// of the weights beforehand, so nothing can be stale, and each of them is read once.
#pragma once

#include <vector>

#include "recurrent/schedule.h"
#include "recurrent/stack.h"
#include "recurrent/tape.h"

namespace elman {

template <class T> struct PlainStep {
  Stack stack;                      // of one direction
  std::vector<Weights<T>> weights;  // of each layer
  int B = 0;
  const T* x = nullptr;               // [B, I]
  const T* scalars = nullptr;         // [B, scalars]
  T* y = nullptr;                     // [B, H], the last layer's h; may be null
  const T* initial[max_states] = {};  // [L, B, H], null for zeros
  T* final[max_states] = {};          // [L, B, H], all written; they overlap nothing that is read
  Tape<T> tape = {};                  // for run_backward, as run_forward leaves it; may be null
  ForcedSchedule wanted = ForcedSchedule::any;
};

// The same bits as those of a packed step.
template <class T> void run_plain_step(const PlainStep<T>& step);

// Whether a step of so many rows takes less time than the way over packed weights that must be found by a
// fingerprint of all their bytes first.
template <class T> bool plain_step_pays(const Stack& stack, int B);

}  // namespace elman
