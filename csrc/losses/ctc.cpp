// The forward-backward algorithm of Graves et al. (2006), over the log-probabilities of a target's states: a
// blank, the first label, a blank, ..., the last label, a blank.
#include "losses/ctc.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "kernels/dispatch.h"
#include "machine/buffer.h"
#include "machine/share.h"

namespace elman {
namespace {

// The logarithm of a probability of 0: finite, so that no difference of two is NaN.
constexpr double nowhere = -1e300;

// A row of states has two more on each side, so that every state has all the states it may be entered from. A
// path starts in the state before the first one and ends in the state after the last one.
constexpr int margin = 2;

// What one thread needs for a sequence. It takes one sequence after the other.
struct Scratch {
  std::ptrdiff_t row;  // numbers of a row of states
  double* skip;        // 0 where the state may be entered from the one two before it, else nowhere
  double* emitted;     // at one step
  double* left;        // Graves' backward variables, without what the step itself emits
  double* after;       // the same with it
  double* occupied;    // probability of each state at a step, given the target
  double* normaliser;  // of the softmax, at each step
  double* before;      // forward variables, a row for each step and one more

  static std::ptrdiff_t row_size(int S) { return 2 * std::ptrdiff_t{S} + 1 + 2 * margin; }
  // With room for the forward variables of `steps` steps.
  static std::size_t size(int T, int S, int steps) { return T + (5 + 1 + steps) * row_size(S); }

  Scratch(double* from, int S, int T) : row(row_size(S)) {
    for (double** p : {&skip, &emitted, &left, &after, &occupied}) {
      *p = from + margin;
      from += row;
    }
    normaliser = from;
    before = from + T + margin;
  }
};

template <class T> class Sequence {
 public:
  Sequence(const Ctc<T>& call, const Isa& isa, const Scratch& scratch, int b)
      : call_(call),
        isa_(isa),
        scratch_(scratch),
        b_(b),
        length_(static_cast<int>(call.lengths[b])),
        S_(static_cast<int>(call.target_lengths[b])),
        states_(2 * S_ + 1),
        target_(call.target + std::ptrdiff_t{b} * call.S_max) {
    // A path may leave out a blank, but not between two equal labels. It may start at the first label and end
    // at the last.
    std::fill(scratch_.skip - margin, scratch_.skip + states_ + margin, nowhere);
    for (int i = 0; i <= S_; ++i)
      if (i == 0 || i == S_ || target_[i] != target_[i - 1]) scratch_.skip[2 * i + 1] = 0;
  }

  void run() {
    const double log_likelihood = forward();
    const bool fits = !(log_likelihood < nowhere / 2);
    const bool zero = !fits && call_.zero_infinity;
    call_.losses[b_] = fits ? -log_likelihood : zero ? 0 : std::numeric_limits<double>::infinity();
    if (!call_.d_logits) return;
    if (fits) backward(log_likelihood);
    else clear(0, length_, zero ? T(0) : std::numeric_limits<T>::quiet_NaN());
    clear(length_, call_.T_max, T(0));
  }

 private:
  std::ptrdiff_t place(int t) const { return (std::ptrdiff_t{t} * call_.B + b_) * call_.C; }

  // The forward variables before step t. The way back needs those of all steps; without it two rows do.
  double* before(int t) const { return scratch_.before + (call_.d_logits ? t : t % 2) * scratch_.row; }

  void clear(int begin, int end, T value) const {
    for (int t = begin; t < end; ++t) std::fill_n(call_.d_logits + place(t), call_.C, value);
  }

  // The log-probabilities at step t of what the states emit.
  void look_up(int t) const {
    const T* x = call_.logits + place(t);
    const auto log_probability = [&](int64_t label) {
      return std::max(double(x[label]) - scratch_.normaliser[t], nowhere);
    };
    std::fill_n(scratch_.emitted, states_, log_probability(call_.blank));
    for (int i = 0; i < S_; ++i) scratch_.emitted[2 * i + 1] = log_probability(target_[i]);
  }

  // Returns log P(target | logits); leaves softmax times the scale in the gradient.
  double forward() const {
    const auto softmax = softmax_kernels<T>(isa_).softmax;
    const T scale = call_.d_logits ? static_cast<T>(call_.scale[b_]) : T(1);
    std::fill(before(0) - margin, before(0) + states_ + margin, nowhere);
    before(0)[-1] = 0;
    for (int t = 0; t < length_; ++t) {
      T* d = call_.d_logits ? call_.d_logits + place(t) : nullptr;
      const RowSums<T> sums = softmax(call_.logits + place(t), call_.C, scale, T(0), d);
      scratch_.normaliser[t] = double(sums.largest) + std::log(double(sums.exponentials));
      look_up(t);
      const double* from = before(t);
      double* to = before(t + 1);
      std::fill_n(to - margin, margin, nowhere);
      isa_.log_sums.sum(from, from - 1, from - 2, scratch_.skip, states_, to);
      for (int s = 0; s < states_; ++s) to[s] += scratch_.emitted[s];
    }
    const double* last = before(length_);
    const double a = last[states_ - 1], b = last[states_ - 2];
    return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
  }

  // Subtracts from the gradient how likely each label is at each step, given the target.
  void backward(double log_likelihood) const {
    const double scale = call_.scale[b_];
    double* after = scratch_.after;
    std::fill(after - margin, after + states_ + margin, nowhere);
    after[states_] = 0;
    for (int t = length_ - 1; t >= 0; --t) {
      isa_.log_sums.sum(after, after + 1, after + 2, scratch_.skip + 2, states_, scratch_.left);
      after[states_] = nowhere;
      isa_.log_sums.exp(before(t + 1), scratch_.left, -log_likelihood, states_, scratch_.occupied);
      look_up(t);
      for (int s = 0; s < states_; ++s) after[s] = scratch_.left[s] + scratch_.emitted[s];
      T* d = call_.d_logits + place(t);
      double blank = 0;
      for (int s = 0; s < states_; s += 2) blank += scratch_.occupied[s];
      d[call_.blank] -= static_cast<T>(scale * blank);
      for (int i = 0; i < S_; ++i) d[target_[i]] -= static_cast<T>(scale * scratch_.occupied[2 * i + 1]);
    }
  }

  const Ctc<T>& call_;
  const Isa& isa_;
  const Scratch& scratch_;
  const int b_, length_, S_, states_;
  const int64_t* const target_;
};

// What a value of the logits and a step of a state cost, forward and back, if packing a weight costs 1.
constexpr double work_of_a_value = 4, work_of_a_state = 12;

}  // namespace

template <class T> void run_ctc(const Ctc<T>& call) {
  const Isa& isa = current_isa();
  double work = 0;
  for (int b = 0; b < call.B; ++b)
    work += double(call.lengths[b]) *
            (work_of_a_value * call.C + work_of_a_state * (2 * call.target_lengths[b] + 1));
  ThreadTeam team(num_threads());
  const int threads = std::min(threads_for_packing(work, team.size(), team.warm()), std::max(call.B, 1));
  const std::size_t size = Scratch::size(call.T_max, call.S_max, call.d_logits ? call.T_max : 1);
  std::vector<Buffer<double>> buffers;
  for (int i = 0; i < threads; ++i) buffers.emplace_back(size);
  std::atomic<int> next{0};  // a thread that is done takes the next sequence: they differ in length
  team.run(threads, [&](int i) {
    const Scratch scratch(buffers[i].data(), call.S_max, call.T_max);
    for (int b; (b = next.fetch_add(1)) < call.B;) Sequence<T>(call, isa, scratch, b).run();
  });
}

template void run_ctc(const Ctc<float>&);
template void run_ctc(const Ctc<double>&);

}  // namespace elman
