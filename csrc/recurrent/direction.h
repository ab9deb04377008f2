// One direction of a layer on its way back: its scan, and the products with the gradients of its slots.
#pragma once

#include "recurrent/extras.h"
#include "recurrent/heads_outer.h"
#include "recurrent/layer.h"
#include "recurrent/pass.h"
#include "recurrent/rows.h"

namespace elman {

// What a layer of a backward pass reads; results and their gradients are rows of D * H.
template <class T> struct LayerBack {
  int layer = 0;
  const T* x = nullptr;   // its input, rows of I
  const T* y = nullptr;   // its results
  const T* dy = nullptr;  // their gradients, null for zeros
};

template <class T> class Direction {
 public:
  // `warm`: the workers will be awake when the products come.
  // chunk: steps of an elementwise cell that are taken together, else 1.
  Direction(const BackwardCall<T>& call, const LayerBack<T>& layer, int d, const T* zeros, bool warm,
            int chunk)
      : stack_(*call.packed),
        cell_(stack_.facts()),
        products_(product_kernels<T>(stack_.isa)),
        plan_(*call.plans[d]),
        d_(d),
        part_(layer.layer * stack_.D + d),
        plain_(call.plain.empty() ? nullptr : &call.plain[part_]),
        grads_(call.grads[part_]),
        x_(layer.x),
        I_(stack_.inputs(layer.layer)),
        warm_(warm),
        dscalars_(call.dscalars),
        extras_(cell_, products_, stack_.H),
        job_(job(call, layer, d, zeros, chunk)) {
    for (int k = 0; k < cell_.state_count(); ++k) pass_idle(plan_, job_.dfinal[k], job_.dinitial[k], job_.H);
    if (!call.tape.checkpoints) place(call.tape, layer.layer);
    if (wanted()) prepare_weight_gradients();
  }

  // Where the steps to come lie.
  void place(const Tape<T>& tape, int layer) {
    job_.slots = tape.slots(layer, d_);
    for (int k = 1; k < cell_.state_count(); ++k) job_.states[k] = tape.state(layer, d_, k);
    if (job_.factors) read_[0] = tape.read(layer, d_, 0);
    for (int j = 1; j < cell_.stage_count(); ++j)
      if (cell_.stage(j).count()) read_[j] = job_.read[j] = tape.read(layer, d_, j);
    job_.statistics = tape.statistics(layer, d_);
  }

  // Whether the gradients of its weights are.
  bool wanted() const { return grads_.ih != nullptr; }

  // The next steps to be set are within these.
  void begin_chunk(int begin, int end) {
    set_steps(begin, end);
    if (extras_.any()) extras_.begin(job_);
  }

  // From here on: the steps [begin, end).
  void set_steps(int begin, int end) {
    const PlanView& plan = job_.plan;
    job_.t_begin = std::min(begin, plan.steps);
    job_.t_end = std::min(end, plan.steps);
    first_ = plan.offset[job_.t_begin];
    last_ = plan.offset[job_.t_end];
  }

  // The slots' gradients, in the place of the tape.
  void scan(const Piece& piece) const { stack_.kernels().backward(job_, piece); }

  // dx (+)= their product with weight_ih.
  void input_gradient(T* dx, bool add, ThreadTeam& team) const {
    const int H = job_.H;
    if (plain_) return plain_input_gradient(dx, add, team);
    // So many rows at a time that they stay in the L2 cache while all of I passes over them.
    constexpr int rows_at_once = 96;
    const int threads = product_threads(cell_.x.count() * I_, team);
    share(team, threads, last_ - first_, [&](int64_t begin, int64_t end) {
      const T* in[rows_at_once];
      T* out[rows_at_once];
      for (int64_t n = first_ + begin; n < first_ + end; n += rows_at_once) {
        const int count = static_cast<int>(std::min<int64_t>(rows_at_once, first_ + end - n));
        for (int i = 0; i < count; ++i) {
          in[i] = job_.slots + ((n + i) * cell_.columns() + cell_.x.begin) * H;
          out[i] = dx + std::ptrdiff_t{job_.plan.index[n + i]} * I_;
        }
        products_.multiply(in, out, count, cell_.x.count() * H, packed().ih.data(), I_, add);
      }
    });
  }

  // With plain weights: adds to the gradient of h before the step what comes through the recurrent product.
  void state_gradient(ThreadTeam& team) const {
    if (!job_.dinitial[0]) return;
    std::vector<const T*> in;
    std::vector<T*> out;
    for (int64_t n = first_; n < last_; ++n) {
      const int b = job_.plan.start[n - first_];
      if (b < 0) continue;
      in.push_back(job_.slots + (n * cell_.columns() + cell_.h.begin) * job_.H);
      out.push_back(job_.dinitial[0] + std::ptrdiff_t{b} * job_.H);
    }
    multiply_plain(in, out, cell_.h, plain_->hh, job_.H, true, team);
  }

  // The weights' gradients += their products with the rows that fed the slots.
  void weight_gradients(ThreadTeam& team) {
    collect_rows();
    outer_.rows = static_cast<int>(last_ - first_);
    outer_.a = job_.slots + std::ptrdiff_t{first_} * cell_.columns() * job_.H;
    outer_.side[0].b = x_rows_.data();
    for (int j = 0; j < cell_.stage_count(); ++j) outer_.side[1 + j].b = read_rows_[j].data();
    const int threads = product_threads(cell_.x.count() * I_ + cell_.recurrent_slots() * stack_.head(), team);
    while (static_cast<int>(scratch_.size()) < threads)
      scratch_.emplace_back(
          products_.outer_scratch(plan_.total(), outer_.M, I_ + cell_.stage_count() * job_.H));
    team.run(threads, [&](int i) { products_.outer(outer_, i, threads, scratch_[i].data()); });
    if (stack_.heads > 1) {
      const HeadsOuter<T> of_heads{cell_, products_, job_.H, stack_.head(), outer_, read_rows_, d_hh_rows_};
      team.run(threads, [&](int i) { of_heads.run(i, threads, scratch_[i].data()); });
    }
  }

  // The gradients of the cell's vectors, of the same chunk, and of its scalars.
  void extra_gradients(ThreadTeam& team) {
    if (wanted()) extras_.add_vectors(team, [&](int width) { return product_threads(width, team); });
    if (dscalars_) extras_.add_scalars(job_.plan, first_, last_, dscalars_);
  }

  // Adds the sums of the slots' gradients to the biases' gradients.
  void finish() const {
    add_bias(cell_.x, grads_.bias_ih);
    for (int j = 0; j < cell_.stage_count(); ++j) add_bias(cell_.stage(j), grads_.bias_hh);
    extras_.finish(grads_.vectors);
  }

 private:
  BackwardJob<T> job(const BackwardCall<T>& call, const LayerBack<T>& layer, int d, const T* zeros,
                     int chunk) {
    const int H = stack_.H, part = part_;
    BackwardJob<T> job;
    job.H = H;
    job.heads = stack_.heads;
    job.plan = plan_.view();
    job.cell = stack_.kernels().cell;
    job.scalars = call.scalars;
    job.draws = draws_of(call.draws, part);
    if (!plain_) job.vectors = packed().vectors.data();
    for (int j = 0; j < cell_.stage_count() && !plain_; ++j) job.packed[j] = packed().hh[j].data();
    job.y = layer.y + std::ptrdiff_t{d} * H;
    if (layer.dy) job.dy = layer.dy + std::ptrdiff_t{d} * H;
    job.y_stride = job.dy_stride = stack_.width();
    const std::size_t size = std::size_t(job.plan.segments) * H;
    for (int k = 0; k < cell_.state_count(); ++k) {
      job.initial[k] = part_of(call.initial[k], part, plan_, H);
      job.dfinal[k] = part_of(call.dfinal[k], part, plan_, H);
      job.dinitial[k] = part_of(call.dinitial[k], part, plan_, H);
      carry_[k] = Buffer<T>(size);
      job.carry[k] = carry_[k].data();
    }
    if (call.tape.factors) job.factors = part_of(call.tape.factors, part, plan_, H);
    if (cell_.left) {
      left_ = Buffer<T>(size * chunk * cell_.left);
      job.left = left_.data();
    }
    for (int j = 0; j < max_stages; ++j) {
      if (!(j ? cell_.stage(j).count() > 0 : job.factors != nullptr)) continue;
      d_read_[j] = Buffer<T>(size);
      job.d_read[j] = d_read_[j].data();
    }
    job.zeros = zeros;
    job.chunk = chunk;
    return job;
  }

  const typename PackedBackStack<T>::Part& packed() const { return stack_.packed[part_]; }

  void plain_input_gradient(T* dx, bool add, ThreadTeam& team) const {
    std::vector<const T*> in;
    std::vector<T*> out;
    for (int64_t n = first_; n < last_; ++n) {
      in.push_back(job_.slots + (n * cell_.columns() + cell_.x.begin) * job_.H);
      out.push_back(dx + std::ptrdiff_t{job_.plan.index[n]} * I_);
    }
    multiply_plain(in, out, cell_.x, plain_->ih, I_, add, team);
  }

  // out (+)= in times the rows of a weight matrix that a product feeds; the threads share its columns.
  void multiply_plain(const std::vector<const T*>& in, const std::vector<T*>& out, const Feed& feed,
                      const T* matrix, int width, bool add, ThreadTeam& team) const {
    const std::vector<const T*> rows = slot_rows<const T*>(feed, matrix, job_.H, width);
    const int K = static_cast<int>(rows.size()), count = static_cast<int>(in.size());
    const int threads = product_threads(feed.count() * width, team);
    const int groups = groups_of<T>(stack_.isa, width);
    const std::size_t each = products_.plain_scratch(K, count);
    const Buffer<T> scratch(each * threads);
    team.run(threads, [&](int i) {
      products_.multiply_plain(in.data(), out.data(), count, K, rows.data(), width, groups * i / threads,
                               groups * (i + 1) / threads, add, scratch.data() + each * i);
    });
  }

  // For a product of the chunk's entries, with so many multiply-adds for each entry and unit.
  int product_threads(int width, const ThreadTeam& team) const {
    const double multiply_adds = double(last_ - first_) * job_.H * width;
    return threads_for_product(multiply_adds, products_.lanes, team.size(), warm_);
  }

  void prepare_weight_gradients() {
    const int H = job_.H, M = cell_.slots * H;
    d_ih_rows_ = slot_rows<T*>(cell_.x, grads_.ih, H, I_);
    bias_ = zeros<T>(M);
    outer_.M = M;
    outer_.a_stride = std::ptrdiff_t{cell_.columns()} * H;
    outer_.bias = bias_.data();
    outer_.fresh = plain_ != nullptr;
    outer_.side[0] = {cell_.x.begin * H, cell_.x.end * H, I_, nullptr, d_ih_rows_.data()};
    for (int j = 0; j < cell_.stage_count(); ++j) {
      const Feed& feed = cell_.stage(j);
      d_hh_rows_[j] = slot_rows<T*>(feed, grads_.hh, H, stack_.head());
      const int width = feed.count() && stack_.heads == 1 ? H : 0;
      outer_.side[1 + j] = {feed.begin * H, feed.end * H, width, nullptr, d_hh_rows_[j].data()};
    }
  }

  // For each entry of the chunk, where the rows are that fed it: x, and what the recurrent products read.
  void collect_rows() {
    const PlanView& plan = job_.plan;
    x_rows_.resize(last_ - first_);
    for (int j = 0; j < cell_.stage_count(); ++j) read_rows_[j].resize(last_ - first_);
    for (int64_t n = first_; n < last_; ++n) x_rows_[n - first_] = x_ + std::ptrdiff_t{plan.index[n]} * I_;
    for (int t = job_.t_begin; t < job_.t_end; ++t) {
      for (int s = 0; s < plan.alive[t]; ++s) {
        const std::ptrdiff_t entry = plan.offset[t] + s;
        for (int j = 0; j < cell_.stage_count(); ++j)
          read_rows_[j][entry - first_] = read_[j] ? read_[j] + entry * job_.H : state_before(job_, 0, t, s);
      }
    }
  }

  void add_bias(const Feed& feed, T* d_bias) const {
    const int H = job_.H;
    if (!d_bias) return;
    for (int s = 0; s < feed.count(); ++s)
      for (int u = 0; u < H; ++u) {
        T& to = d_bias[feed.gate[s] * H + u];
        to = (outer_.fresh ? T{0} : to) + bias_[(feed.begin + s) * H + u];
      }
  }

  const PackedBackStack<T>& stack_;
  const CellFacts& cell_;
  const ProductKernels<T>& products_;
  const Plan& plan_;
  const int d_, part_;
  const Weights<T>* const plain_;  // null where the weights are packed
  const Gradients<T>& grads_;
  const T* const x_;
  const int I_;
  const bool warm_;
  T* const dscalars_;
  Extras<T> extras_;
  Buffer<T> carry_[max_states], d_read_[max_stages], left_;
  const T* read_[max_stages] = {};  // what the product of each stage read; null where that is h itself
  BackwardJob<T> job_;
  int64_t first_ = 0, last_ = 0;  // the entries of the steps that were set
  // For the weight gradients:
  OuterJob<T> outer_;
  std::vector<T*> d_ih_rows_, d_hh_rows_[max_stages];
  std::vector<const T*> x_rows_, read_rows_[max_stages];
  Buffer<T> bias_;
  std::vector<Buffer<T>> scratch_;  // of each thread
};

}  // namespace elman
