// The steps of a layer taken once more, a stretch at a time, from the states that a pass with checkpoints has
// kept. They get a tape of their own, on which the way back goes through them.
#pragma once

#include <cstring>

#include "recurrent/forward_layer.h"

namespace elman {

template <class T> class Again {
 public:
  // x, y: what the layer has read, and its results, which are written once more.
  Again(const BackwardCall<T>& call, const std::vector<PlanView>& plans, int layer, const T* x, T* y,
        const T* zeros, ThreadTeam& team)
      : kept_(call.tape),
        plans_(plans),
        layer_(layer),
        H_(call.packed->H),
        states_(call.packed->facts().state_count()),
        layout_(call.packed->facts(), H_, 1, entries(), 0, call.tape.factors != nullptr),
        memory_(layout_.size()),
        behind_(most_behind()),
        forward_(forward_call(call), plans, layer, x, y, true, zeros, team) {
    tape_.layout = &layout_;
    tape_.memory = memory_.data();
    tape_.factors = call.tape.factors;
  }

  // Takes the steps of stretch i, the one before that of the last call.
  void run(int i, ThreadTeam& team, Pauses& pauses) {
    const int begin = checkpoints().begin(i), end = checkpoints().end(i);
    tape_.first.resize(plans_.size());
    for (int d = 0; d < static_cast<int>(plans_.size()); ++d) {
      const PlanView& plan = plans_[d];
      // The last step's gradient of h comes from the slots' gradients of the step behind it.
      const std::size_t behind = std::size_t(plan.alive_at(end)) * layout_.entry_slots();
      const int64_t at = plan.offset[std::min(end, plan.steps)] * layout_.entry_slots();
      if (behind) std::memcpy(behind_.data(), tape_.slots(0, d) + at, behind * sizeof(T));
      tape_.first[d] = Checkpoints::first_entry(plan, begin);
      if (behind) std::memcpy(tape_.slots(0, d) + at, behind_.data(), behind * sizeof(T));
      const std::size_t states = std::size_t(plan.alive_at(begin)) * H_;
      for (int k = 1; i && k < states_; ++k)
        std::memcpy(tape_.state(0, d, k) + tape_.first[d] * H_,
                    kept_.state(layer_, d, k) + checkpoints().row(d, i) * H_, states * sizeof(T));
    }
    forward_.place(tape_, 0);
    forward_.run(begin, end, team, pauses);
  }

  // Of the stretch that was run last, with one layer.
  const Tape<T>& tape() const { return tape_; }

 private:
  const Checkpoints& checkpoints() const { return *kept_.checkpoints; }

  std::vector<int64_t> entries() const {
    std::vector<int64_t> most;
    for (const PlanView& plan : plans_) most.push_back(checkpoints().most_entries(plan));
    return most;
  }

  std::size_t most_behind() const {
    int most = 0;
    for (const PlanView& plan : plans_)
      for (int i = 0; i < checkpoints().count(); ++i)
        most = std::max(most, plan.alive_at(checkpoints().end(i)));
    return std::size_t(most) * layout_.entry_slots();
  }

  static ForwardCall<T> forward_call(const BackwardCall<T>& call) {
    ForwardCall<T> again;
    again.packed = call.again;
    again.plans = call.plans;
    again.wanted = call.wanted;
    again.scalars = call.scalars;
    again.draws = call.draws;
    std::copy(call.initial, call.initial + max_states, again.initial);
    again.tape.factors = call.tape.factors;
    return again;
  }

  const Tape<T>& kept_;
  const std::vector<PlanView>& plans_;
  const int layer_, H_, states_;
  const TapeLayout layout_;
  const Buffer<T> memory_, behind_;
  ForwardLayer<T> forward_;
  Tape<T> tape_;
};

}  // namespace elman
