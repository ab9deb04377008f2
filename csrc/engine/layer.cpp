#include "engine/layer.h"

#include <algorithm>
#include <cstring>

#include "engine/pieces.h"

namespace elman {
namespace {

template <class T> int blocks_of(const Isa& isa, int H) {
  const int lanes = products<T>(isa).lanes;
  return (H + lanes - 1) / lanes;
}

template <class T>
Work measure(const Isa& isa, int H, const std::vector<PlanView>& plans, const ThreadTeam& team) {
  Work work;
  work.warm = team.warm();
  work.directions = static_cast<int>(plans.size());
  for (const PlanView& plan : plans) {
    work.rows = std::max(work.rows, plan.rows);
    work.steps = std::max(work.steps, plan.steps);
    work.total = std::max(work.total, plan.offset[plan.steps]);
  }
  work.blocks = blocks_of<T>(isa, H);
  work.tile_rows = products<T>(isa).tile_rows;
  work.vector_bytes = products<T>(isa).lanes * int{sizeof(T)};
  return work;
}

template <class Call> std::vector<PlanView> views(const std::vector<Call>& calls) {
  std::vector<PlanView> plans;
  for (const Call& call : calls) plans.push_back(call.plan->view());
  return plans;
}

// Splits [0, count) into `parts` and runs f(begin, end) for each on a thread.
template <class F> void share(ThreadTeam& team, int parts, int64_t count, const F& f) {
  team.run(parts, [&](int i) { f(count * i / parts, count * (i + 1) / parts); });
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

}  // namespace

template <class T>
Packed<T>::Packed(const Isa& isa_, int cell_, const Weights<T>& w)
    : isa(isa_), cell(cell_), I(w.I), H(w.H), data(kernels().packed_size(w.I, w.H)) {
  constexpr std::size_t worth_a_thread = 1 << 16;
  ThreadTeam team(data.size() > worth_a_thread ? num_threads() : 1);
  share(team, team.size(), blocks_of<T>(isa, H), [&](int64_t begin, int64_t end) {
    kernels().pack(w, data.data(), static_cast<int>(begin), static_cast<int>(end));
  });
}

template <class T> void run_forward(std::vector<ForwardCall<T>>& calls) {
  const Packed<T>& packed = *calls.front().packed;
  const CellInfo& cell = packed.info();
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
    job.keep = call.tape != nullptr;
    job.chunk = chunk;
    const std::size_t total = call.plan->total(), rows = job.plan.rows, H = packed.H;
    if (call.tape) {
      call.tape->slots = Buffer<T>(total * cell.slots * H);
      if (cell.states > 1) call.tape->memory = Buffer<T>(total * H);
      job.slots = call.tape->slots.data();
      job.memory = call.tape->memory.data();
    } else {
      if (chunk) job.slots = take(rows * chunk * cell.slots * H);
      if (cell.states > 1) job.memory = take(rows * H);
    }
    clear_rows(job.y, job.y_stride, job.H, call.plan->holes);
    for (int k = 0; k < cell.states; ++k) pass_idle(*call.plan, job.initial[k], job.final[k], job.H);
  }

  const Pieces pieces(schedule, plans, work.blocks, [&](int rows) { return rows * std::max(1, chunk); });
  pieces.run(team,
             [&](int d, const Piece& piece) { calls[d].packed->kernels().forward(calls[d].job, piece); });
}

namespace {

// The rows of one weight matrix's gradient (or of the matrix itself) in the order of the slots.
template <class Row, class T> std::vector<Row> slot_rows(const Feed& feed, T* matrix, int H, int width) {
  std::vector<Row> rows;
  for (int s = 0; s < feed.count(); ++s)
    for (int u = 0; u < H; ++u) rows.push_back(matrix + (std::ptrdiff_t{feed.gate[s]} * H + u) * width);
  return rows;
}

template <class T>
Buffer<T> pack_product(const Products<T>& p, const std::vector<const T*>& rows, int width) {
  const int blocks = (width + p.lanes - 1) / p.lanes;
  Buffer<T> packed(std::size_t(blocks) * rows.size() * p.lanes);
  p.pack(rows.data(), static_cast<int>(rows.size()), width, packed.data(), 0, blocks);
  return packed;
}

template <class T> void scan_back(std::vector<BackwardCall<T>>& calls, ThreadTeam& team) {
  const Isa& isa = *calls.front().isa;
  const CellInfo& cell = isa.cells[calls.front().cell];
  const int H = calls.front().weights.H;
  const std::vector<PlanView> plans = views(calls);
  Work work = measure<T>(isa, H, plans, team);
  work.h_bytes = double(cell.h.count()) * H * H * sizeof(T);
  const Schedule schedule = choose_schedule(work, team.size());

  const Buffer<T> zero = zeros<T>(H);
  std::vector<Buffer<T>> workspace;
  for (BackwardCall<T>& call : calls) {
    BackwardJob<T>& job = call.job;
    job.H = H;
    job.plan = call.plan->view();
    job.slots = call.tape->slots.data();
    job.memory = call.tape->memory.data();
    job.zeros = zero.data();
    const auto rows = slot_rows<const T*>(cell.h, call.weights.hh, H, H);
    workspace.push_back(pack_product(products<T>(isa), rows, H));
    job.packed = workspace.back().data();
    for (int k = 0; k < cell.states; ++k) {
      workspace.emplace_back(std::size_t(job.plan.rows) * H);
      job.carry[k] = workspace.back().data();
      pass_idle(*call.plan, job.dfinal[k], job.dinitial[k], H);
    }
  }
  const Pieces pieces(schedule, plans, work.blocks, [](int rows) { return rows; });
  pieces.run(
      team, [&](int d, const Piece& piece) { kernels<T>(isa, calls[d].cell).backward(calls[d].job, piece); });
}

// dx (+)= slot gradients times weight_ih.
template <class T> void input_gradient(const BackwardCall<T>& call, T* dx, bool add, ThreadTeam& team) {
  const CellInfo& cell = call.isa->cells[call.cell];
  const Products<T>& p = products<T>(*call.isa);
  const int I = call.weights.I, H = call.weights.H, K = cell.x.count() * H;
  const auto rows = slot_rows<const T*>(cell.x, call.weights.ih, H, I);
  const Buffer<T> packed = pack_product(p, rows, I);
  const PlanView plan = call.plan->view();
  if (!add) clear_rows(dx, I, I, call.plan->holes);
  // So many rows at a time that their slot gradients stay in the L2 cache while all of I passes over them.
  constexpr int run = 96;
  share(team, team.size(), call.plan->total(), [&](int64_t begin, int64_t end) {
    const T* in[run];
    T* out[run];
    for (int64_t n = begin; n < end; n += run) {
      const int count = static_cast<int>(std::min<int64_t>(run, end - n));
      for (int i = 0; i < count; ++i) {
        in[i] = call.job.slots + ((n + i) * cell.slots + cell.x.begin) * H;
        out[i] = dx + std::ptrdiff_t{plan.index[n + i]} * I;
      }
      p.rows(in, out, count, K, packed.data(), I, add);
    }
  });
}

// d_weights += slot gradients (of one feed) times the rows that fed them; d_bias likewise.
template <class T>
void weight_gradient(const BackwardCall<T>& call, const Feed& feed, const std::vector<const T*>& fed_by,
                     int width, T* d_weights, T* d_bias, ThreadTeam& team) {
  const Products<T>& p = products<T>(*call.isa);
  const int H = call.weights.H, M = feed.count() * H, parts = team.size();
  const auto rows = slot_rows<T*>(feed, d_weights, H, width);
  const Buffer<T> packed(p.outer_packed(width));
  const Buffer<T> bias = zeros<T>(M);
  Barrier barrier(parts);
  OuterJob<T> job;
  job.total = call.plan->total();
  job.M = M;
  job.N = width;
  job.a = call.job.slots + std::ptrdiff_t{feed.begin} * H;
  job.a_stride = std::ptrdiff_t{call.isa->cells[call.cell].slots} * H;
  job.b = fed_by.data();
  job.c = rows.data();
  job.bias = d_bias ? bias.data() : nullptr;
  job.packed = packed.data();
  job.barrier = parts > 1 ? &barrier : nullptr;
  std::vector<Buffer<T>> scratch;
  for (int i = 0; i < parts; ++i) scratch.emplace_back(p.outer_scratch(M / parts + 1));
  team.run(parts, [&](int i) {
    p.outer(job, static_cast<int>(int64_t{M} * i / parts), static_cast<int>(int64_t{M} * (i + 1) / parts), i,
            parts, scratch[i].data());
  });
  if (!d_bias) return;
  for (int s = 0; s < feed.count(); ++s)
    for (int u = 0; u < H; ++u) d_bias[feed.gate[s] * H + u] += bias[s * H + u];
}

template <class T> std::vector<const T*> input_rows(const BackwardCall<T>& call) {
  const PlanView plan = call.plan->view();
  std::vector<const T*> rows(call.plan->total());
  for (size_t p = 0; p < rows.size(); ++p) rows[p] = call.x + std::ptrdiff_t{plan.index[p]} * call.weights.I;
  return rows;
}

// The h that each packed row started its step from.
template <class T> std::vector<const T*> previous_rows(const BackwardCall<T>& call, const T* zero) {
  const PlanView plan = call.plan->view();
  const BackwardJob<T>& job = call.job;
  std::vector<const T*> rows(call.plan->total());
  for (int t = 0; t < plan.steps; ++t) {
    for (int r = 0; r < plan.alive[t]; ++r) {
      const T*& row = rows[plan.offset[t] + r];
      const int b = plan.start[r];
      if (t) row = job.y + std::ptrdiff_t{plan.index[plan.offset[t - 1] + r]} * job.y_stride;
      else row = job.initial[0] && b >= 0 ? job.initial[0] + std::ptrdiff_t{b} * job.H : zero;
    }
  }
  return rows;
}

}  // namespace

template <class T> void run_backward(std::vector<BackwardCall<T>>& calls, T* dx) {
  ThreadTeam team(num_threads());
  scan_back(calls, team);
  const Buffer<T> zero = zeros<T>(calls.front().weights.H);
  for (size_t d = 0; d < calls.size(); ++d) {
    const BackwardCall<T>& call = calls[d];
    const CellInfo& cell = call.isa->cells[call.cell];
    input_gradient(call, dx, d > 0, team);
    weight_gradient(call, cell.x, input_rows(call), call.weights.I, call.d_ih, call.d_bias_ih, team);
    weight_gradient(call, cell.h, previous_rows(call, zero.data()), call.weights.H, call.d_hh, call.d_bias_hh,
                    team);
  }
}

template struct Packed<float>;
template struct Packed<double>;
template void run_forward(std::vector<ForwardCall<float>>&);
template void run_forward(std::vector<ForwardCall<double>>&);
template void run_backward(std::vector<BackwardCall<float>>&, float*);
template void run_backward(std::vector<BackwardCall<double>>&, double*);

}  // namespace elman
