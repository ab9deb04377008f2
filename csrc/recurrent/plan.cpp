#include "recurrent/plan.h"

#include <algorithm>
#include <numeric>

namespace elman {

// A stretch of one sequence between two resets: the caller's rows in the order they are computed.
struct Plan::Segment {
  std::vector<int32_t> path;
  int32_t sequence = 0, start = -1, finish = -1;
};

Plan::Plan(const Options& o) : T(o.T), B(o.B), rows(int64_t{o.T} * o.B) {
  const int64_t step_stride = o.batch_first ? 1 : o.B, row_stride = o.batch_first ? o.T : 1;
  std::vector<Segment> segments;

  for (int b = 0; b < o.B; ++b) {
    const int length = o.lengths ? static_cast<int>(o.lengths[b]) : o.T;
    Segment segment;
    segment.sequence = segment.start = b;
    bool moved = false;  // a step or a reset has replaced the initial state
    for (int i = 0; i < length; ++i) {
      const int t = o.reverse ? length - 1 - i : i;
      const int64_t row = t * step_stride + b * row_stride;
      // A reset lies between steps t - 1 and t: before t forwards, after t backwards.
      const int64_t cut = o.reverse ? row + step_stride : row;
      if (o.reset && (!o.reverse || i > 0) && o.reset[cut]) {
        if (!segment.path.empty()) segments.push_back(std::move(segment));
        segment = Segment{};
        segment.sequence = b;
        moved = true;
      }
      if (o.mask && !o.mask[row]) continue;
      segment.path.push_back(static_cast<int32_t>(row));
    }
    if (segment.path.empty()) {
      idle.push_back({b, moved});
    } else {
      segment.finish = b;
      segments.push_back(std::move(segment));
    }
  }
  arrange(segments);
}

Plan::Plan(const int64_t* batch_sizes, int steps, bool reverse)
    : T(steps),
      B(steps ? static_cast<int>(batch_sizes[0]) : 0),
      rows(std::accumulate(batch_sizes, batch_sizes + steps, int64_t{0})) {
  std::vector<Segment> segments(B);
  int64_t row = 0;
  for (int t = 0; t < steps; ++t)
    for (int64_t b = 0; b < batch_sizes[t]; ++b) segments[b].path.push_back(static_cast<int32_t>(row++));
  for (int b = 0; b < B; ++b) {
    segments[b].sequence = segments[b].start = segments[b].finish = b;
    if (reverse) std::reverse(segments[b].path.begin(), segments[b].path.end());
  }
  arrange(segments);
}

// The segments in order, the longest first, and the entries of each step.
void Plan::arrange(std::vector<Segment>& segments) {
  std::stable_sort(segments.begin(), segments.end(),
                   [](const Segment& a, const Segment& b) { return a.path.size() > b.path.size(); });
  const size_t steps = segments.empty() ? 0 : segments.front().path.size();
  alive_.assign(steps, 0);
  offset_.assign(steps + 1, 0);
  for (const Segment& s : segments) {
    sequence_.push_back(s.sequence);
    start_.push_back(s.start);
    finish_.push_back(s.finish);
    for (size_t t = 0; t < s.path.size(); ++t) ++alive_[t];
  }
  for (size_t t = 0; t < steps; ++t) offset_[t + 1] = offset_[t] + alive_[t];
  index_.resize(offset_.back());
  for (size_t r = 0; r < segments.size(); ++r)
    for (size_t t = 0; t < segments[r].path.size(); ++t) index_[offset_[t] + r] = segments[r].path[t];

  if (offset_.back() == rows) return;
  std::vector<bool> covered(rows, false);
  for (const int32_t row : index_) covered[row] = true;
  for (int64_t row = 0; row < rows; ++row)
    if (!covered[row]) holes.push_back(static_cast<int32_t>(row));
}

bool Plan::matches(const Plan& o) const {
  if (this == &o) return true;
  return B == o.B && rows == o.rows && offset_ == o.offset_ && index_ == o.index_ &&
         sequence_ == o.sequence_ && start_ == o.start_ && finish_ == o.finish_;
}

PlanView Plan::view() const {
  PlanView v;
  v.steps = static_cast<int>(alive_.size());
  v.segments = static_cast<int>(start_.size());
  v.alive = alive_.data();
  v.offset = offset_.data();
  v.index = index_.data();
  v.sequence = sequence_.data();
  v.start = start_.data();
  v.finish = finish_.data();
  return v;
}

std::shared_ptr<const Plan> one_step(int batch_size) {
  thread_local std::shared_ptr<const Plan> last;
  if (last && last->B == batch_size) return last;
  Plan::Options options;
  options.T = 1;
  options.B = batch_size;
  auto made = std::make_shared<const Plan>(options);
  if (batch_size <= small_plan) last = made;
  return made;
}

}  // namespace elman
