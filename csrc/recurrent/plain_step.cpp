#include "recurrent/plain_step.h"

#include <cstring>

#include "recurrent/layer.h"
#include "recurrent/pieces.h"
#include "recurrent/plan.h"

namespace elman {
namespace {

template <class T> class Run {
 public:
  explicit Run(const PlainStep<T>& step)
      : step_(step),
        stack_(step.stack),
        plan_(one_step(step.B)),
        zeros_(zeros<T>(stack_.H)),
        kernels_(cell_kernels<T>(stack_.cell)),
        groups_(groups_of<T>(stack_.isa, stack_.H)) {
    for (int layer = 0; layer < stack_.L; ++layer) jobs_.push_back(job(layer));
  }

  void run() {
    ThreadTeam team(num_threads());
    const Work work = measure_step<T>(stack_, plan_->view(), team.warm());
    const Pieces pieces(choose_schedule(work, team.size(), step_.wanted), {plan_->view()}, work.groups, 1,
                        scratch_of<T>(stack_));
    pieces.run(team, [&](int, const Piece& piece) {
      for (const ForwardJob<T>& job : jobs_) kernels_.forward(job, piece);
    });
    if (step_.tape && step_.y) std::memcpy(step_.y, jobs_.back().y, size() * sizeof(T));
  }

 private:
  std::size_t size() const { return std::size_t(step_.B) * stack_.H; }

  // A layer reads what the one below has just left as its h: on the tape, or as its final state.
  ForwardJob<T> job(int layer) {
    const CellFacts& cell = stack_.facts();
    const std::size_t size = this->size();
    const Tape<T>& tape = step_.tape;
    ForwardJob<T> job;
    job.I = stack_.inputs(layer);
    job.H = stack_.H;
    job.plan = plan_->view();
    job.cell = kernels_.cell;
    job.scalars = step_.scalars;
    job.plain = &step_.weights[layer];
    T* const first = take(std::size_t(cell.slots + cell.vector_count()) * groups_ * lanes());
    kernels_.pack_first(*job.plain, first);
    job.packed = first;
    job.x = layer ? jobs_.back().y : step_.x;
    job.y = tape ? tape.y(layer) : step_.final[0] + layer * size;
    job.y_stride = job.H;
    for (int k = 0; k < cell.state_count(); ++k) {
      T* const final = step_.final[k] + layer * size;
      if (tape) job.final[k] = final;
      if (step_.initial[k]) job.initial[k] = step_.initial[k] + layer * size;
      if (k) job.states[k] = tape ? tape.state(layer, 0, k) : final;
    }
    if (!tape && layer + 1 == stack_.L) job.final[0] = step_.y;
    job.zeros = zeros_.data();
    job.keep = static_cast<bool>(tape);
    if (tape) job.slots = tape.slots(layer, 0);
    if (cell.left) job.left = take(cell.left * size);
    if (cell.stage_count() > 1) {
      job.chunk = least_chunk<T>(stack_);
      if (job.chunk && !tape) job.slots = take(cell.columns() * size);
      for (int j = 1; j < cell.stage_count(); ++j)
        if (cell.stage(j).count()) job.read[j] = tape ? tape.read(layer, 0, j) : take(size);
      if (tape && cell.statistics) job.statistics = tape.statistics(layer, 0);
    }
    return job;
  }

  int lanes() const { return product_kernels<T>(stack_.isa).lanes; }
  T* take(std::size_t count) { return scratch_.emplace_back(count).data(); }

  const PlainStep<T>& step_;
  const Stack& stack_;
  const std::shared_ptr<const Plan> plan_;
  const Buffer<T> zeros_;
  const CellKernels<T>& kernels_;
  const int groups_;
  std::vector<Buffer<T>> scratch_;
  std::vector<ForwardJob<T>> jobs_;
};

}  // namespace

template <class T> void run_plain_step(const PlainStep<T>& step) { Run<T>(step).run(); }

template <class T> bool plain_step_pays(const Stack& stack, int B) {
  return stack.heads == 1 && B <= product_kernels<T>(stack.isa).tile_rows;
}

template void run_plain_step(const PlainStep<float>&);
template void run_plain_step(const PlainStep<double>&);
template bool plain_step_pays<float>(const Stack&, int);
template bool plain_step_pays<double>(const Stack&, int);

}  // namespace elman
