// The backward call. The steps go in chunks, from the last to the first: the scan turns a chunk's tape into
// gradients of the slots, and the products with them follow while they are still in a cache.
#include <algorithm>
#include <deque>

#include "machine/pauses.h"
#include "recurrent/call.h"
#include "recurrent/layer.h"
#include "recurrent/pieces.h"
#include "recurrent/spans.h"

namespace elman {
namespace {

// The rows of a chunk: enough that the visits to the weight gradients are not many more, and that its slots
// are large beside what a call of the threads costs.
constexpr int64_t chunk_rows = 1000, chunk_bytes = int64_t{4} << 20;

// The first step of the chunk that ends before `end`.
int chunk_begin(const PlanView& plan, int end, int64_t row_bytes) {
  int64_t wanted = std::max(chunk_rows, chunk_bytes / row_bytes);
  int t = end;
  for (; t > 0 && wanted > 0; --t) wanted -= plan.alive_at(t - 1);
  return t;
}

// The rows of one weight matrix's gradient (or of the matrix itself) in the order of the slots.
template <class Row, class T> std::vector<Row> slot_rows(const Feed& feed, T* matrix, int H, int width) {
  std::vector<Row> rows;
  for (int s = 0; s < feed.count(); ++s)
    for (int u = 0; u < H; ++u) rows.push_back(matrix + (std::ptrdiff_t{feed.gate[s]} * H + u) * width);
  return rows;
}

template <class T>
Buffer<T> pack_product(const ProductKernels<T>& p, const std::vector<const T*>& rows, int width,
                       ThreadTeam& team) {
  const int groups = (width + p.lanes - 1) / p.lanes;
  Buffer<T> packed(std::size_t(groups) * rows.size() * p.lanes);
  share(team, threads_for_packing(packed.size(), team.size(), team.warm()), groups,
        [&](int64_t begin, int64_t end) {
          p.pack(rows.data(), static_cast<int>(rows.size()), width, packed.data(), static_cast<int>(begin),
                 static_cast<int>(end));
        });
  return packed;
}

// One direction of a layer on its way back.
template <class T> class Direction {
 public:
  // `warm`: the workers will be awake when the products come.
  Direction(BackwardCall<T>& call, const T* zero, int threads, bool warm)
      : call_(call),
        cell_(*call.packed->cell.facts),
        products_(product_kernels<T>(call.packed->isa)),
        plan_(call.plan->view()),
        zero_(zero),
        warm_(warm) {
    const int H = call.packed->H;
    BackwardJob<T>& job = call.job;
    job.H = H;
    job.plan = plan_;
    job.slots = call.tape.slots;
    std::copy(call.tape.states, call.tape.states + max_states, job.states);
    job.factors = call.tape.factors;
    if (job.factors) {
      through_ = Buffer<T>(std::size_t(plan_.segments) * H);
      job.d_read[0] = through_.data();
    }
    job.zeros = zero;
    job.program = call.packed->cell.program;
    job.packed[0] = call.packed->hh.data();
    for (int k = 0; k < cell_.state_count(); ++k) {
      carry_[k] = Buffer<T>(std::size_t(plan_.segments) * H);
      job.carry[k] = carry_[k].data();
      pass_idle(*call.plan, job.dfinal[k], job.dinitial[k], H);
    }
    prepare_weight_gradients(threads);
  }

  // The slots' gradients of the steps [begin, end), in the place of the tape.
  void set_steps(int begin, int end) {
    call_.job.t_begin = std::min(begin, plan_.steps);
    call_.job.t_end = std::min(end, plan_.steps);
    first_ = plan_.offset[call_.job.t_begin];
    last_ = plan_.offset[call_.job.t_end];
  }
  void scan(const Piece& piece) const { cell_kernels<T>(call_.packed->cell).backward(call_.job, piece); }

  // dx (+)= their product with weight_ih.
  void input_gradient(T* dx, bool add, ThreadTeam& team) const {
    const int I = call_.packed->I, H = call_.packed->H;
    // So many rows at a time that they stay in the L2 cache while all of I passes over them.
    constexpr int run = 96;
    const int threads = product_threads(cell_.x.count() * I, team);
    share(team, threads, last_ - first_, [&](int64_t begin, int64_t end) {
      const T* in[run];
      T* out[run];
      for (int64_t n = first_ + begin; n < first_ + end; n += run) {
        const int count = static_cast<int>(std::min<int64_t>(run, first_ + end - n));
        for (int i = 0; i < count; ++i) {
          in[i] = call_.job.slots + ((n + i) * cell_.slots + cell_.x.begin) * H;
          out[i] = dx + std::ptrdiff_t{plan_.index[n + i]} * I;
        }
        products_.multiply(in, out, count, cell_.x.count() * H, call_.packed->ih.data(), I, add);
      }
    });
  }

  // The weights' gradients += their products with the rows that fed the slots.
  void weight_gradients(ThreadTeam& team) {
    const int I = call_.packed->I, H = call_.packed->H;
    collect_rows();
    outer_.rows = static_cast<int>(last_ - first_);
    outer_.a = call_.job.slots + std::ptrdiff_t{first_} * cell_.slots * H;
    outer_.side[0].b = x_rows_.data();
    outer_.side[1].b = h_rows_.data();
    const int threads = product_threads(cell_.x.count() * I + cell_.h.count() * H, team);
    team.run(threads, [&](int i) { products_.outer(outer_, i, threads, scratch_[i].data()); });
  }

  // Adds the sums of the slots' gradients to the biases' gradients.
  void finish() const {
    add_bias(cell_.x, call_.d_bias_ih);
    add_bias(cell_.h, call_.d_bias_hh);
  }

 private:
  // For a product of the chunk's rows, with so many multiply-adds for each row and unit.
  int product_threads(int width, const ThreadTeam& team) const {
    const double multiply_adds = double(last_ - first_) * call_.packed->H * width;
    return threads_for_product(multiply_adds, products_.lanes, team.size(), warm_);
  }

  void prepare_weight_gradients(int threads) {
    const int I = call_.packed->I, H = call_.packed->H, M = cell_.slots * H;
    d_ih_rows_ = slot_rows<T*>(cell_.x, call_.d_ih, H, I);
    d_hh_rows_ = slot_rows<T*>(cell_.h, call_.d_hh, H, H);
    bias_ = zeros<T>(M);
    outer_.M = outer_.a_stride = M;
    outer_.bias = bias_.data();
    outer_.side[0] = {cell_.x.begin * H, cell_.x.end * H, I, nullptr, d_ih_rows_.data()};
    outer_.side[1] = {cell_.h.begin * H, cell_.h.end * H, H, nullptr, d_hh_rows_.data()};
    for (int i = 0; i < threads; ++i) scratch_.emplace_back(products_.outer_scratch(M, I + H));
  }

  // Where the x and the h are that fed each row of the chunk.
  void collect_rows() {
    const BackwardJob<T>& job = call_.job;
    x_rows_.resize(last_ - first_);
    h_rows_.resize(last_ - first_);
    for (int64_t n = first_; n < last_; ++n)
      x_rows_[n - first_] = call_.x + std::ptrdiff_t{plan_.index[n]} * call_.packed->I;
    for (int t = job.t_begin; t < job.t_end; ++t) {
      const T** row = h_rows_.data() + (plan_.offset[t] - first_);
      for (int r = 0; r < plan_.alive[t]; ++r) {
        const int b = plan_.start[r];
        if (job.factors) row[r] = call_.tape.masked + std::ptrdiff_t{plan_.offset[t] + r} * job.H;
        else if (t) row[r] = job.y + std::ptrdiff_t{plan_.index[plan_.offset[t - 1] + r]} * job.y_stride;
        else row[r] = job.initial[0] && b >= 0 ? job.initial[0] + std::ptrdiff_t{b} * job.H : zero_;
      }
    }
  }

  void add_bias(const Feed& feed, T* d_bias) const {
    const int H = call_.packed->H;
    if (!d_bias) return;
    for (int s = 0; s < feed.count(); ++s)
      for (int u = 0; u < H; ++u) d_bias[feed.gate[s] * H + u] += bias_[(feed.begin + s) * H + u];
  }

  BackwardCall<T>& call_;
  const CellFacts& cell_;
  const ProductKernels<T>& products_;
  const PlanView plan_;
  const T* const zero_;
  const bool warm_;
  int64_t first_ = 0, last_ = 0;  // the chunk's rows
  Buffer<T> carry_[max_states], through_;
  // For the weight gradients:
  OuterJob<T> outer_;
  std::vector<T*> d_ih_rows_, d_hh_rows_;
  std::vector<const T*> x_rows_, h_rows_;
  Buffer<T> bias_;
  std::vector<Buffer<T>> scratch_;  // of each thread
};

}  // namespace

template <class T>
PackedBack<T>::PackedBack(const Isa& isa_, const CellRef& cell_, const Weights<T>& w)
    : isa(isa_), cell(cell_), I(w.I), H(w.H) {
  const CellFacts& info = *cell.facts;
  const ProductKernels<T>& p = product_kernels<T>(isa);
  ThreadTeam team(num_threads());
  ih = pack_product(p, slot_rows<const T*>(info.x, w.ih, H, I), I, team);
  hh = pack_product(p, slot_rows<const T*>(info.h, w.hh, H, H), H, team);
}

template <class T> void run_backward(std::vector<BackwardCall<T>>& calls, T* dx) {
  const BackwardCall<T>& first = calls.front();
  const Isa& isa = first.packed->isa;
  const CellFacts& cell = *first.packed->cell.facts;
  const int I = first.packed->I, H = first.packed->H;
  ThreadTeam team(num_threads());
  const std::vector<PlanView> plans = views(calls);
  Work work = measure<T>(isa, H, plans, team);
  work.h_bytes = double(cell.h.count()) * H * H * sizeof(T);
  const Schedule schedule = choose_schedule(work, team.size());
  const Pieces pieces(schedule, plans, work.groups, [](int rows) { return rows; });

  const bool warm = team.warm() || schedule.threads > 1;
  const Buffer<T> zero = zeros<T>(H);
  std::deque<Direction<T>> directions;
  for (BackwardCall<T>& call : calls) directions.emplace_back(call, zero.data(), team.size(), warm);
  // Two directions reach a step in different chunks, so both add.
  const bool add = calls.size() > 1;
  if (dx && add) std::memset(dx, 0, first.plan->rows * I * sizeof(T));
  if (dx && !add) clear_rows(dx, I, I, first.plan->holes);

  const Spans spans(plans.front(), work.directions * work.groups, cell.h.count() * H, schedule.threads);
  Pauses pauses;
  for (int begin, end = work.steps; end > 0; end = begin) {
    begin = chunk_begin(plans.front(), end, int64_t{cell.slots} * H * int64_t{sizeof(T)});
    for (int first, last = end; last > begin; last = first) {
      pauses.pause_if_due();
      first = spans.begin(last, begin);
      for (Direction<T>& direction : directions) direction.set_steps(first, last);
      pieces.run(team, [&](int d, const Piece& piece) { directions[d].scan(piece); });
    }
    for (Direction<T>& direction : directions) direction.set_steps(begin, end);
    for (Direction<T>& direction : directions) {
      pauses.pause_if_due();
      if (dx) direction.input_gradient(dx, add, team);
      direction.weight_gradients(team);
    }
  }
  for (const Direction<T>& direction : directions) direction.finish();
}

template struct PackedBack<float>;
template struct PackedBack<double>;
template void run_backward(std::vector<BackwardCall<float>>&, float*);
template void run_backward(std::vector<BackwardCall<double>>&, double*);

}  // namespace elman
