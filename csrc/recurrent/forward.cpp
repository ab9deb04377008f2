// The forward pass: from plans, packed weights and arrays to results. This is where schedules become pieces
// and threads.
#include <optional>

#include "machine/pauses.h"
#include "recurrent/layer.h"
#include "recurrent/pass.h"
#include "recurrent/pieces.h"
#include "recurrent/spans.h"

namespace elman {
namespace {

template <class T> class ForwardPass {
 public:
  explicit ForwardPass(const ForwardCall<T>& call)
      : call_(call),
        stack_(*call.packed),
        plans_(views(call.plans)),
        zeros_(zeros<T>(stack_.H)),
        team_(num_threads()) {
    jobs_.reserve(stack_.D);
  }

  void run() {
    const T* x = call_.x;
    for (int layer = 0; layer < stack_.L; ++layer) {
      T* const y = results(layer);
      run_layer(layer, x, y);
      const bool last = layer + 1 == stack_.L;
      x = last || call_.dropout.empty() ? y : dropped(layer, y);
      if (last && call_.tape && call_.y) hand_out(y);
    }
  }

 private:
  std::size_t numbers() const { return std::size_t(call_.plans[0]->rows) * stack_.width(); }

  // The tape keeps its y; the caller gets a copy, and may write to it.
  void hand_out(const T* y) {
    const auto all = static_cast<int64_t>(numbers());
    share_moving(team_, 2.0 * double(all) * sizeof(T), all, [&](int64_t begin, int64_t end) {
      std::memcpy(call_.y + begin, y + begin, std::size_t(end - begin) * sizeof(T));
    });
  }

  // Where a layer leaves its results. Without a tape, the results between layers take turns in two buffers.
  T* results(int layer) {
    if (call_.tape) return call_.tape.y(layer);
    return layer + 1 == stack_.L ? call_.y : spare(layer % 2);
  }
  T* spare(int i) {
    if (!spare_[i]) spare_[i].emplace(numbers());
    return spare_[i]->data();
  }

  // Results as the next layer reads them. Those on a tape stay whole for the backward pass.
  const T* dropped(int layer, T* y) {
    T* const to = call_.tape ? spare(0) : y;
    drop(y, call_.dropout[layer], to, numbers(), team_);
    return to;
  }

  void run_layer(int layer, const T* x, T* y) {
    const CellFacts& cell = stack_.facts();
    const int I = stack_.inputs(layer), H = stack_.H;
    const Work work = measure_forward<T>(stack_, layer, plans_, team_.warm());
    const Schedule schedule = choose_schedule(work, team_.size(), call_.wanted);
    const int chunk = std::max(chunk_ahead(work, schedule), least_chunk<T>(stack_));
    std::vector<Buffer<T>> scratch;
    scratch.reserve(std::size_t(stack_.D) * (1 + max_states + max_stages));
    jobs_.clear();
    for (int d = 0; d < stack_.D; ++d) jobs_.push_back(job(layer, d, x, y, chunk, scratch));
    for (int d = 0; d < stack_.D; ++d) fill_without_steps(d);

    const Pieces pieces(schedule, plans_, work.groups, std::max(1, chunk), scratch_of<T>(stack_));
    const Spans spans(plans_.front(), work.directions * work.groups,
                      cell.x.count() * I + cell.recurrent_slots() * H, schedule.threads);
    for (int begin = 0, end; begin < work.steps; begin = end) {
      pauses_.pause_if_due();
      end = spans.end(begin, work.steps);
      for (ForwardJob<T>& job : jobs_) job.t_begin = begin, job.t_end = end;
      pieces.run(team_, [&](int d, const Piece& piece) { stack_.kernels().forward(jobs_[d], piece); });
    }
  }

  // `scratch` gets what is needed in place of a tape.
  ForwardJob<T> job(int layer, int d, const T* x, T* y, int chunk, std::vector<Buffer<T>>& scratch) const {
    const int H = stack_.H, part = layer * stack_.D + d, states = stack_.facts().state_count();
    const Tape<T>& tape = call_.tape;
    ForwardJob<T> job;
    job.I = stack_.inputs(layer);
    job.H = H;
    job.plan = plans_[d];
    job.cell = stack_.kernels().cell;
    job.scalars = call_.scalars;
    job.draws = draws_of(call_.draws, part);
    job.packed = stack_.packed[part].data();
    job.x = x;
    job.y = y + std::ptrdiff_t{d} * H;
    job.y_stride = stack_.width();
    for (int k = 0; k < states; ++k) {
      job.initial[k] = part_of(call_.initial[k], part, *call_.plans[d], H);
      job.final[k] = part_of(call_.final[k], part, *call_.plans[d], H);
    }
    job.zeros = zeros_.data();
    job.chunk = chunk;
    job.keep = static_cast<bool>(tape);
    const auto take = [&](std::size_t count) { return scratch.emplace_back(count).data(); };
    const std::size_t segments = job.plan.segments;
    if (job.keep) job.slots = tape.slots(layer, d);
    else if (chunk) job.slots = take(segments * chunk * stack_.facts().columns() * H);
    if (stack_.facts().left) job.left = take(segments * stack_.facts().left * H);
    for (int k = 1; k < states; ++k) job.states[k] = job.keep ? tape.state(layer, d, k) : take(segments * H);
    if (tape.factors) {
      job.factors = part_of(tape.factors, part, *call_.plans[d], H);
      job.read[0] = tape.read(layer, d, 0);
    }
    for (int j = 1; j < stack_.facts().stage_count(); ++j)
      if (stack_.facts().stage(j).count())
        job.read[j] = job.keep ? tape.read(layer, d, j) : take(segments * H);
    if (job.keep && stack_.facts().statistics) job.statistics = tape.statistics(layer, d);
    return job;
  }

  // Rows that no step computes become zero. For final states that no step touches see pass_idle.
  void fill_without_steps(int d) {
    const ForwardJob<T>& job = jobs_[d];
    const Plan& plan = *call_.plans[d];
    clear_rows(job.y, job.y_stride, job.H, plan.holes, team_);
    for (int k = 0; k < stack_.facts().state_count(); ++k)
      pass_idle(plan, job.initial[k], job.final[k], job.H);
  }

  const ForwardCall<T>& call_;
  const PackedStack<T>& stack_;
  const std::vector<PlanView> plans_;
  const Buffer<T> zeros_;
  ThreadTeam team_;
  Pauses pauses_;
  std::vector<ForwardJob<T>> jobs_;  // of the layer's directions
  std::optional<Buffer<T>> spare_[2];
};

}  // namespace

template <class T> void run_forward(const ForwardCall<T>& call) { ForwardPass<T>(call).run(); }

template void run_forward(const ForwardCall<float>&);
template void run_forward(const ForwardCall<double>&);

}  // namespace elman
