// A pass: a whole stack forward or backward, all layers and directions in one call on one team of threads.
// The calls below are what a front end gives, with every size checked (bind/recurrent.cpp); all else is made
// here. A long pass can be ended from outside (machine/pauses.h): its results are then undefined, and its
// tape is used up.
#pragma once

#include <vector>

#include "recurrent/plan.h"
#include "recurrent/schedule.h"
#include "recurrent/stack.h"
#include "recurrent/tape.h"

namespace elman {

// States are [L * D, B, H], null for zeros or for what nobody wants.
template <class T> struct ForwardCall {
  const PackedStack<T>* packed = nullptr;
  std::vector<const Plan*> plans;  // one for each direction
  ForcedSchedule wanted = ForcedSchedule::any;
  const T* x = nullptr;        // [rows, I]
  const T* scalars = nullptr;  // [rows, scalars]; null where the cell has none
  Draws draws;                 // of all parts
  T* y = nullptr;              // [rows, D * H]; may be null where there is a tape, which has it too
  const T* initial[max_states] = {};
  T* final[max_states] = {};
  std::vector<const T*> dropout;  // factors [rows, D * H] of each layer's results but the last's, or none
  Tape<T> tape;
};

// Shaped like the weights, and added to; biases may be null, and so may all of a part where nobody wants
// them.
template <class T> struct Gradients {
  T *ih = nullptr, *hh = nullptr, *bias_ih = nullptr, *bias_hh = nullptr;
  T* vectors[max_vectors] = {};
};

template <class T> struct BackwardCall {
  const PackedBackStack<T>* packed = nullptr;
  // The weights of each part where nothing is packed: they are read where they lie. Only for simple cells,
  // without recurrent dropout, and for plans of one step. `grads` and `dinitial` are then written, or null
  // where nobody wants them.
  std::vector<Weights<T>> plain;
  std::vector<const Plan*> plans;
  ForcedSchedule wanted = ForcedSchedule::any;
  Tape<T> tape;                           // used up
  const PackedStack<T>* again = nullptr;  // with checkpoints: what the forward pass ran on
  std::vector<Gradients<T>> grads;        // [L * D]
  const T *x = nullptr, *dy = nullptr;    // as in the forward pass; dy may be null for zeros
  const T* scalars = nullptr;
  T* dscalars = nullptr;  // like scalars, and added to, unless null
  Draws draws;
  T* dx = nullptr;  // written, unless null
  int first = 0;    // the first layer that gradients must reach; dx is null unless it is 0
  const T *initial[max_states] = {}, *dfinal[max_states] = {};
  T* dinitial[max_states] = {};  // written
  std::vector<const T*> dropout;
};

template <class T> void run_forward(const ForwardCall<T>& call);
template <class T> void run_backward(const BackwardCall<T>& call);

}  // namespace elman
