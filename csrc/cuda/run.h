// A layer's scan as launches: what the binding calls.
#pragma once

#include "cuda/schedule.h"
#include "launch.h"

namespace elman::cuda {

template <class T>
struct Kernels {  // [number of tiles: 1, 2, 4][Exchange]; forward has one for global and none
  using Forward = void (*)(Job<ForwardSide<T>>);
  using Backward = void (*)(Job<BackwardSide<T>>);
  Forward forward[3][3];
  Backward backward[3][3];
};
template <class T> const Kernels<T>* kernels();  // [one for each of cells/cells.h]

// The caller sets all of `job` but layout, t_begin and t_end.
template <class T> void run(int cell, Job<ForwardSide<T>> job, int directions, const Schedule&, Stream);
template <class T> void run(int cell, Job<BackwardSide<T>> job, int directions, const Schedule&, Stream);

}  // namespace elman::cuda
