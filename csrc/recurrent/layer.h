// What the forward and the backward pass share, layer by layer.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "machine/share.h"
#include "recurrent/plan.h"
#include "recurrent/schedule.h"
#include "recurrent/stack.h"

namespace elman {

inline std::vector<PlanView> views(const std::vector<const Plan*>& plans) {
  std::vector<PlanView> all;
  all.reserve(plans.size());
  for (const Plan* plan : plans) all.push_back(plan->view());
  return all;
}

// Of one layer, without the bytes of its weights.
template <class T> Work measure(const Stack& stack, const std::vector<PlanView>& plans, bool warm) {
  Work work;
  work.warm = warm;
  work.directions = static_cast<int>(plans.size());
  for (const PlanView& plan : plans) {
    work.segments = std::max(work.segments, plan.segments);
    work.steps = std::max(work.steps, plan.steps);
    work.total = std::max(work.total, plan.offset[plan.steps]);
  }
  work.groups = groups_of<T>(stack.isa, stack.H);
  work.tile_rows = product_kernels<T>(stack.isa).tile_rows;
  work.vector_bytes = product_kernels<T>(stack.isa).lanes * int{sizeof(T)};
  return work;
}

// Of one step of all layers of a stack in one direction. They are cut in the same way: a thread that has some
// segments of one layer has them in every layer.
template <class T> Work measure_step(const Stack& stack, const PlanView& plan, bool warm) {
  const CellFacts& cell = stack.facts();
  const double H = stack.H;
  Work work = measure<T>(stack, {plan}, warm);
  for (int layer = 0; layer < stack.L; ++layer) {
    work.x_bytes += cell.x.count() * H * stack.inputs(layer) * sizeof(T);
    work.h_bytes += cell.recurrent_slots() * H * H * sizeof(T);
  }
  return work;
}

// A part's states in an array [L * D, B, H]; null where there is none.
template <class T> T* part_of(T* states, int part, const Plan& plan, int H) {
  return states ? states + std::ptrdiff_t{part} * plan.B * H : nullptr;
}

template <class T>
void clear_rows(T* rows, std::ptrdiff_t stride, int width, const std::vector<int32_t>& which) {
  for (const int32_t row : which) std::memset(rows + row * stride, 0, width * sizeof(T));
}

// The final states of sequences that no step touches: copied from the initial ones, or zeros.
template <class T> void pass_idle(const Plan& plan, const T* from, T* to, int H) {
  if (!to) return;
  for (const Plan::Idle& idle : plan.idle) {
    T* row = to + std::ptrdiff_t{idle.sequence} * H;
    if (from && !idle.zero) std::memcpy(row, from + std::ptrdiff_t{idle.sequence} * H, H * sizeof(T));
    else std::memset(row, 0, H * sizeof(T));
  }
}

// Dropout: to = from * factors; `to` may be `from`. Denormals stay, as everywhere outside the kernels.
template <class T> void drop(const T* from, const T* factors, T* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = from[i] * factors[i];
}

}  // namespace elman
