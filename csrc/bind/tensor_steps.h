// Single steps that gradients are wanted of, from a library's tensors. Both ways have the same tape as any
// call.
#pragma once

#include "bind/given.h"
#include "recurrent/pass.h"

namespace elman {

// Whether train_step does this call.
template <class T> bool can_train_step(const Given<T>& given) {
  return given.single_step() && given.batched() && given.stack().facts().simple() && given.stack().heads == 1;
}

// The tape, y (not of a cell) and each final state. `packed`: null for plain weights, over which a tape has
// the same bits each time, whatever was in its memory.
template <class T>
Objects train_step(const Given<T>& given, const T* const* initial, const PackedStack<T>* packed);

}  // namespace elman
