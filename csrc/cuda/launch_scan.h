// The scan of one layer as launches of kernels: what the binding calls.
#pragma once

#include "cuda/schedule.h"
#include "launch.h"

namespace elman::cuda {

// The kernels of one cell: [number of tiles: 1, 2, 4][Exchange]. Forward has one kernel for global and none.
template <class T> struct Kernels {
  using Forward = void (*)(Job<ForwardSide<T>>);
  using Backward = void (*)(Job<BackwardSide<T>>);
  Forward forward[3][3];
  Backward backward[3][3];
};
template <class T> const Kernels<T>* kernels();  // [one for each cell of cells/cells.h]

// The caller sets all of `job` but layout, t_begin and t_end.
template <class T>
void launch_scan(int cell, Job<ForwardSide<T>> job, int directions, const Schedule&, Stream);
template <class T>
void launch_scan(int cell, Job<BackwardSide<T>> job, int directions, const Schedule&, Stream);

}  // namespace elman::cuda
