// A layer on its way forward: the jobs of its directions, and the pieces that threads take.
#pragma once

#include <vector>

#include "machine/pauses.h"
#include "recurrent/layer.h"
#include "recurrent/pass.h"
#include "recurrent/pieces.h"
#include "recurrent/spans.h"

namespace elman {

template <class T> class ForwardLayer {
 public:
  // x, y: rows that it reads and writes. Its steps are kept where `keep` says; else what a step leaves for
  // the next one lies in scratch.
  ForwardLayer(const ForwardCall<T>& call, const std::vector<PlanView>& plans, int layer, const T* x, T* y,
               bool keep, const T* zeros, ThreadTeam& team)
      : stack_(*call.packed),
        keep_(keep),
        work_(measure_forward<T>(stack_, layer, plans, team.warm())),
        schedule_(choose_schedule(work_, team.size(), call.wanted)),
        chunk_(stack_.facts().elementwise ? chunk_elementwise(work_, schedule_)
                                          : std::max(chunk_ahead(work_, schedule_), least_chunk<T>(stack_))),
        pieces_(schedule_, plans, work_.groups, std::max(1, chunk_), scratch_of<T>(stack_)),
        spans_(plans.front(), work_.directions * work_.groups,
               stack_.facts().x.count() * stack_.inputs(layer) +
                   stack_.facts().recurrent_slots() * stack_.head(),
               schedule_.threads) {
    scratch_.reserve(std::size_t(stack_.D) * (2 + max_states + max_stages));
    for (int d = 0; d < stack_.D; ++d) jobs_.push_back(job(call, plans[d], layer, d, x, y, zeros));
  }

  int steps() const { return work_.steps; }
  ForwardJob<T>& job(int d) { return jobs_[d]; }

  // Where its steps are kept.
  void place(const Tape<T>& tape, int layer) {
    const CellFacts& cell = stack_.facts();
    for (int d = 0; d < stack_.D; ++d) {
      ForwardJob<T>& job = jobs_[d];
      job.slots = tape.slots(layer, d);
      for (int k = 1; k < cell.state_count(); ++k) job.states[k] = tape.state(layer, d, k);
      if (job.factors) job.read[0] = tape.read(layer, d, 0);
      for (int j = 1; j < cell.stage_count(); ++j)
        if (cell.stage(j).count()) job.read[j] = tape.read(layer, d, j);
      if (cell.statistics) job.statistics = tape.statistics(layer, d);
    }
  }

  // Takes some steps, of which the call before took those before them.
  void run(int begin, int end, ThreadTeam& team, Pauses& pauses) {
    for (ForwardJob<T>& job : jobs_) job.t_first = begin;
    for (int next; begin < end; begin = next) {
      pauses.pause_if_due();
      next = spans_.end(begin, end);
      for (ForwardJob<T>& job : jobs_) job.t_begin = begin, job.t_end = next;
      pieces_.run(team, [&](int d, const Piece& piece) { stack_.kernels().forward(jobs_[d], piece); });
    }
  }

 private:
  ForwardJob<T> job(const ForwardCall<T>& call, const PlanView& plan, int layer, int d, const T* x, T* y,
                    const T* zeros) {
    const CellFacts& cell = stack_.facts();
    const int H = stack_.H, part = layer * stack_.D + d;
    ForwardJob<T> job;
    job.I = stack_.inputs(layer);
    job.H = H;
    job.heads = stack_.heads;
    job.plan = plan;
    job.cell = stack_.kernels().cell;
    job.scalars = call.scalars;
    job.draws = draws_of(call.draws, part);
    job.packed = stack_.packed[part].data();
    job.x = x;
    job.y = y + std::ptrdiff_t{d} * H;
    job.y_stride = stack_.width();
    for (int k = 0; k < cell.state_count(); ++k) {
      job.initial[k] = part_of(call.initial[k], part, *call.plans[d], H);
      job.final[k] = part_of(call.final[k], part, *call.plans[d], H);
    }
    job.factors = part_of(call.tape.factors, part, *call.plans[d], H);
    job.zeros = zeros;
    job.chunk = chunk_;
    job.keep = keep_;
    const std::size_t segments = plan.segments;
    if (cell.left) job.left = take((cell.elementwise ? segments * chunk_ : segments) * cell.left * H);
    if (keep_) return job;
    if (chunk_ && !cell.elementwise) job.slots = take(segments * chunk_ * cell.columns() * H);
    for (int k = 1; k < cell.state_count(); ++k) job.states[k] = take(segments * H);
    for (int j = 0; j < cell.stage_count(); ++j)
      if (j ? cell.stage(j).count() > 0 : job.factors != nullptr) job.read[j] = take(2 * segments * H);
    return job;
  }

  T* take(std::size_t count) { return scratch_.emplace_back(count).data(); }

  const PackedStack<T>& stack_;
  const bool keep_;
  const Work work_;
  const Schedule schedule_;
  const int chunk_;
  const Pieces pieces_;
  const Spans spans_;
  std::vector<Buffer<T>> scratch_;  // in the place of a tape
  std::vector<ForwardJob<T>> jobs_;
};

}  // namespace elman
