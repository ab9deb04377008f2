// What the forward and the backward call of a layer share.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/dispatch.h"
#include "machine/share.h"
#include "recurrent/plan.h"
#include "recurrent/schedule.h"

namespace elman {

template <class T>
Work measure(const Isa& isa, int H, const std::vector<PlanView>& plans, const ThreadTeam& team) {
  Work work;
  work.warm = team.warm();
  work.directions = static_cast<int>(plans.size());
  for (const PlanView& plan : plans) {
    work.rows = std::max(work.rows, plan.segments);
    work.steps = std::max(work.steps, plan.steps);
    work.total = std::max(work.total, plan.offset[plan.steps]);
  }
  work.groups = groups_of<T>(isa, H);
  work.tile_rows = product_kernels<T>(isa).tile_rows;
  work.vector_bytes = product_kernels<T>(isa).lanes * int{sizeof(T)};
  return work;
}

template <class Call> std::vector<PlanView> views(const std::vector<Call>& calls) {
  std::vector<PlanView> plans;
  for (const Call& call : calls) plans.push_back(call.plan->view());
  return plans;
}

template <class T>
void clear_rows(T* rows, std::ptrdiff_t stride, int width, const std::vector<int32_t>& which) {
  for (int32_t row : which) std::memset(rows + row * stride, 0, width * sizeof(T));
}

// States of the sequences that no step touches: they pass from `from` to `to`, or end as zeros.
template <class T> void pass_idle(const Plan& plan, const T* from, T* to, int H) {
  if (!to) return;
  for (const Plan::Idle& idle : plan.idle) {
    T* row = to + std::ptrdiff_t{idle.sequence} * H;
    if (from && !idle.zero) std::memcpy(row, from + std::ptrdiff_t{idle.sequence} * H, H * sizeof(T));
    else std::memset(row, 0, H * sizeof(T));
  }
}

}  // namespace elman
