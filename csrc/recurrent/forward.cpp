// The forward pass: from plans, packed weights and arrays to results. This is where schedules become pieces
// and threads.
#include <optional>

#include "recurrent/forward_layer.h"

namespace elman {
namespace {

template <class T> class ForwardPass {
 public:
  explicit ForwardPass(const ForwardCall<T>& call)
      : call_(call),
        stack_(*call.packed),
        plans_(views(call.plans)),
        zeros_(zeros<T>(stack_.H)),
        team_(num_threads()) {}

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
    const Tape<T>& tape = call_.tape;
    ForwardLayer<T> steps(call_, plans_, layer, x, y, tape && !tape.checkpoints, zeros_.data(), team_);
    for (int d = 0; d < stack_.D; ++d) fill_without_steps(d, steps.job(d));
    if (tape && !tape.checkpoints) steps.place(tape, layer);
    if (!tape.checkpoints) return steps.run(0, steps.steps(), team_, pauses_);
    for (int i = 0; i < tape.checkpoints->count(); ++i) {
      for (int d = 0; i && d < stack_.D; ++d) keep_states(layer, d, i, steps.job(d));
      steps.run(tape.checkpoints->begin(i), tape.checkpoints->end(i), team_, pauses_);
    }
  }

  // Those that stretch i starts from; h lies among the results.
  void keep_states(int layer, int d, int i, const ForwardJob<T>& job) {
    const std::size_t count = std::size_t(job.plan.alive_at(call_.tape.checkpoints->begin(i))) * job.H;
    const int64_t row = call_.tape.checkpoints->row(d, i);
    for (int k = 1; k < stack_.facts().state_count(); ++k)
      std::memcpy(call_.tape.state(layer, d, k) + row * job.H, job.states[k], count * sizeof(T));
  }

  // Rows that no step computes become zero. For final states that no step touches see pass_idle.
  void fill_without_steps(int d, const ForwardJob<T>& job) {
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
  std::optional<Buffer<T>> spare_[2];
};

}  // namespace

template <class T> void run_forward(const ForwardCall<T>& call) { ForwardPass<T>(call).run(); }

template void run_forward(const ForwardCall<float>&);
template void run_forward(const ForwardCall<double>&);

}  // namespace elman
