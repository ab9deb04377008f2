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

// The measures of a layer, without the bytes of its weights.
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
  work.meetings = stack.facts().elementwise ? 0 : stack.facts().stage_count();
  work.tile_rows = product_kernels<T>(stack.isa).tile_rows;
  work.vector_bytes = product_kernels<T>(stack.isa).lanes * int{sizeof(T)};
  return work;
}

template <class T>
Work measure_forward(const Stack& stack, int layer, const std::vector<PlanView>& plans, bool warm) {
  Work work = measure<T>(stack, plans, warm);
  work.x_bytes = double(stack.facts().x.count()) * stack.H * stack.inputs(layer) * sizeof(T);
  work.h_bytes = double(stack.facts().recurrent_slots()) * stack.H * stack.head() * sizeof(T);
  return work;
}

// The x-part of the way back is a product outside the scan.
template <class T> Work measure_backward(const Stack& stack, const std::vector<PlanView>& plans, bool warm) {
  Work work = measure_forward<T>(stack, 0, plans, warm);
  work.x_bytes = 0;
  return work;
}

// Of one step of all layers of a stack in one direction. They are cut in the same way: a thread that has some
// segments of one layer has them in every layer.
template <class T> Work measure_step(const Stack& stack, const PlanView& plan, bool warm) {
  Work work = measure<T>(stack, {plan}, warm);
  // Even where a step has no meeting: a layer reads what all threads have made of the last one.
  work.meetings = std::max(1, work.meetings) * stack.L;
  for (int layer = 0; layer < stack.L; ++layer) {
    const Work one = measure_forward<T>(stack, layer, {plan}, warm);
    work.x_bytes += one.x_bytes;
    work.h_bytes += one.h_bytes;
  }
  return work;
}

// Steps whose x-part is computed ahead in any case: compiled cells of several stages always find it in their
// slots.
template <class T> int least_chunk(const Stack& stack) {
  return stack.facts().stage_count() > 1 && !cell_kernels<T>(stack.cell).cell ? 1 : 0;
}

// Of a thread, for the scans of its cell.
template <class T> ScanScratch scratch_of(const Stack& stack) {
  return ScanScratch::of<T>(stack.facts(), cell_kernels<T>(stack.cell).cell);
}

// Those of one layer and direction.
inline Draws draws_of(Draws draws, int part) {
  draws.seed = draws.seed * 0x9e3779b97f4a7c15u + uint64_t(part);
  return draws;
}

// Of an entry's columns on the tape.
template <class T> int64_t entry_bytes(const Stack& stack) {
  return int64_t{stack.facts().columns()} * stack.H * int64_t{sizeof(T)};
}

// A part's states in an array [L * D, B, H]; null where there is none.
template <class T> T* part_of(T* states, int part, const Plan& plan, int H) {
  return states ? states + std::ptrdiff_t{part} * plan.B * H : nullptr;
}

template <class T>
void clear_rows(T* rows, std::ptrdiff_t stride, int width, const std::vector<int32_t>& which,
                ThreadTeam& team) {
  const auto count = static_cast<int64_t>(which.size());
  share_moving(team, double(count) * width * sizeof(T), count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::memset(rows + which[i] * stride, 0, width * sizeof(T));
  });
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
template <class T> void drop(const T* from, const T* factors, T* to, std::size_t count, ThreadTeam& team) {
  const auto all = static_cast<int64_t>(count);
  share_moving(team, 3.0 * double(count) * sizeof(T), all, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = from[i] * factors[i];
  });
}

}  // namespace elman
