#include "recurrent/checkpoints.h"

#include <algorithm>

#include "recurrent/schedule.h"

namespace elman {

Checkpoints::Checkpoints(const std::vector<PlanView>& plans, int every, int64_t entry_bytes) {
  int steps = 0;
  for (const PlanView& plan : plans) steps = std::max(steps, plan.steps);
  ends_.push_back(steps);
  for (int end = steps; (end = chunk_begin(plans.front(), end, entry_bytes)) > 0;)
    if (ends_.back() - end >= every) ends_.push_back(end);
  std::reverse(ends_.begin(), ends_.end());
  for (const PlanView& plan : plans) {
    std::vector<int64_t>& rows = rows_.emplace_back(1, 0);
    for (int i = 0; i < count(); ++i) rows.push_back(rows.back() + (i ? plan.alive_at(begin(i)) : 0));
  }
}

int64_t Checkpoints::first_entry(const PlanView& plan, int begin) {
  return plan.offset[std::min(std::max(0, begin - 1), plan.steps)];
}

int64_t Checkpoints::most_entries(const PlanView& plan) const {
  int64_t most = 0;
  for (int i = 0; i < count(); ++i)
    most = std::max(most, plan.offset[std::min(end(i) + 1, plan.steps)] - first_entry(plan, begin(i)));
  return most;
}

}  // namespace elman
