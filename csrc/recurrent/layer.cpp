#include "recurrent/layer.h"

#include <algorithm>

#include "machine/pauses.h"
#include "recurrent/call.h"
#include "recurrent/pieces.h"
#include "recurrent/spans.h"

namespace elman {
template <class T>
Packed<T>::Packed(const Isa& isa_, int cell_, const Weights<T>& w)
    : isa(isa_), cell(cell_), I(w.I), H(w.H), data(kernels().packed_size(w.I, w.H)) {
  ThreadTeam team(num_threads());
  const int threads = threads_for_packing(data.size(), team.size(), team.warm());
  share(team, threads, groups_of<T>(isa, H), [&](int64_t begin, int64_t end) {
    kernels().pack(w, data.data(), static_cast<int>(begin), static_cast<int>(end));
  });
}

template <class T> void run_forward(std::vector<ForwardCall<T>>& calls) {
  const Packed<T>& packed = *calls.front().packed;
  const CellFacts& cell = packed.info();
  const std::vector<PlanView> plans = views(calls);
  ThreadTeam team(num_threads());

  Work work = measure<T>(packed.isa, packed.H, plans, team);
  work.x_bytes = double(cell.x.count()) * packed.H * packed.I * sizeof(T);
  work.h_bytes = double(cell.h.count()) * packed.H * packed.H * sizeof(T);
  const Schedule schedule = choose_schedule(work, team.size());
  const int piece_rows = (work.rows + schedule.row_parts - 1) / schedule.row_parts;
  const int chunk = schedule.ahead ? std::min(work.steps, steps_ahead(piece_rows)) : 0;

  const Buffer<T> zero = zeros<T>(packed.H);
  std::vector<Buffer<T>> workspace;
  const auto take = [&](std::size_t count) {
    workspace.emplace_back(count);
    return workspace.back().data();
  };
  for (ForwardCall<T>& call : calls) {
    ForwardJob<T>& job = call.job;
    job.I = packed.I;
    job.H = packed.H;
    job.plan = call.plan->view();
    job.packed = call.packed->data.data();
    job.zeros = zero.data();
    job.keep = call.tape.slots != nullptr;
    job.chunk = chunk;
    const std::size_t segments = job.plan.segments, H = packed.H;
    if (job.keep) {
      job.slots = call.tape.slots;
      std::copy(call.tape.states, call.tape.states + max_states, job.states);
      job.factors = call.tape.factors;
      job.masked = call.tape.masked;
    } else {
      if (chunk) job.slots = take(segments * chunk * cell.slots * H);
      for (int k = 1; k < cell.state_count(); ++k) job.states[k] = take(segments * H);
    }
    clear_rows(job.y, job.y_stride, job.H, call.plan->holes);
    for (int k = 0; k < cell.state_count(); ++k) pass_idle(*call.plan, job.initial[k], job.final[k], job.H);
  }

  const Pieces pieces(schedule, plans, work.groups, [&](int rows) { return rows * std::max(1, chunk); });
  const Spans spans(plans.front(), work.directions * work.groups,
                    cell.x.count() * packed.I + cell.h.count() * packed.H, schedule.threads);
  Pauses pauses;
  for (int begin = 0, end; begin < work.steps; begin = end) {
    pauses.pause_if_due();
    end = spans.end(begin, work.steps);
    for (ForwardCall<T>& call : calls) call.job.t_begin = begin, call.job.t_end = end;
    pieces.run(team,
               [&](int d, const Piece& piece) { calls[d].packed->kernels().forward(calls[d].job, piece); });
  }
}

template struct Packed<float>;
template struct Packed<double>;
template void run_forward(std::vector<ForwardCall<float>>&);
template void run_forward(std::vector<ForwardCall<double>>&);

}  // namespace elman
