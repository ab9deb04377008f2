// Connectionist temporal classification against the sum over all paths.
#include "losses/ctc.h"

#include "selftest.h"

namespace elman::selftest {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Sequence {
  int length;
  std::vector<int64_t> labels;  // counted from 1, as if the blank were 0
};

template <class T> struct Batch {
  const int T_max, C, blank;
  int S_max = 1;
  std::vector<int64_t> lengths, target, target_lengths;
  Values<T> logits;
  Values<double> scale;

  // Padding is not to be read.
  Batch(int T_, int C_, int blank_, const std::vector<Sequence>& sequences)
      : T_max(T_), C(C_), blank(blank_) {
    Random random(8);
    for (const Sequence& s : sequences) S_max = std::max(S_max, static_cast<int>(s.labels.size()));
    for (const Sequence& s : sequences) {
      lengths.push_back(s.length);
      target_lengths.push_back(static_cast<int64_t>(s.labels.size()));
      for (const int64_t label : s.labels) target.push_back((blank + label) % C);
      target.resize(lengths.size() * S_max, -1);
    }
    scale = random.normals<double>(B());
    logits = random.normals<T>(T_max * B() * C, 2);
    for (int t = 0; t < T_max; ++t)
      for (int b = 0; b < B(); ++b)
        if (t >= lengths[b]) std::fill_n(&logits[at(t, b, 0)], C, not_a_number<T>);
  }
  int B() const { return static_cast<int>(lengths.size()); }
  int at(int t, int b, int c) const { return (t * B() + b) * C + c; }

  // Twice the losses, without the gradient and with it, and the gradient.
  Results<double> run(bool zero_infinity) const {
    Values<double> losses(B(), not_a_number<double>), again = losses;
    Values<T> gradient(logits.size(), T(9));  // infeasible targets have a gradient of NaN
    Ctc<T> call;
    call.T_max = T_max;
    call.B = B();
    call.C = C;
    call.S_max = S_max;
    call.logits = logits.data();
    call.lengths = lengths.data();
    call.target = target.data();
    call.target_lengths = target_lengths.data();
    call.blank = blank;
    call.zero_infinity = zero_infinity;
    call.losses = losses.data();
    run_ctc(call);
    call.losses = again.data();
    call.scale = scale.data();
    call.d_logits = gradient.data();
    run_ctc(call);
    return {losses, again, widened(gradient)};
  }

  Results<double> expected(bool zero_infinity) const {
    Values<double> losses, gradient(logits.size());
    for (int b = 0; b < B(); ++b) {
      const Values<double> p = probabilities(b);
      Values<double> passing(p.size());  // probability of the paths that are at label c at step t
      double likelihood = 0;
      int paths = 1;
      for (int t = 0; t < lengths[b]; ++t) paths *= C;
      for (int path = 0; path < paths; ++path) {
        std::vector<int64_t> labels(lengths[b]);
        double chance = 1;
        for (int t = 0, rest = path; t < lengths[b]; ++t, rest /= C) {
          labels[t] = rest % C;
          chance *= p[t * C + labels[t]];
        }
        if (!gives(labels, b)) continue;
        likelihood += chance;
        for (int t = 0; t < lengths[b]; ++t) passing[t * C + labels[t]] += chance;
      }
      const bool zero = likelihood == 0 && zero_infinity;
      losses.push_back(zero ? 0 : likelihood == 0 ? infinity : -std::log(likelihood));
      for (int t = 0; t < lengths[b] && !zero; ++t)
        for (int c = 0; c < C; ++c)
          gradient[at(t, b, c)] = scale[b] * (p[t * C + c] - passing[t * C + c] / likelihood);
    }
    return {losses, losses, gradient};
  }

 private:
  Values<double> probabilities(int b) const {  // [steps, C]
    Values<double> p(lengths[b] * C);
    for (int t = 0; t < lengths[b]; ++t) {
      double sum = 0;
      for (int c = 0; c < C; ++c) sum += p[t * C + c] = std::exp(double(logits[at(t, b, c)]));
      for (int c = 0; c < C; ++c) p[t * C + c] /= sum;
    }
    return p;
  }

  // Whether the path, without repetitions and then without blanks, is the target of sequence b.
  bool gives(const std::vector<int64_t>& path, int b) const {
    int64_t found = 0;
    for (std::size_t t = 0; t < path.size(); ++t) {
      if (path[t] == blank || (t > 0 && path[t] == path[t - 1])) continue;
      if (found == target_lengths[b] || target[b * S_max + found] != path[t]) return false;
      ++found;
    }
    return found == target_lengths[b];
  }
};

template <class T> void compare(const Isa& isa) {
  // Among them labels that repeat, targets without labels, sequences without steps, and targets that cannot
  // fit.
  const std::vector<Sequence> sequences{{6, {1, 2}}, {5, {1, 1}}, {3, {}},           {0, {}},
                                        {2, {2, 2}}, {0, {1}},    {5, {2, 1, 2, 1}}, {1, {2}}};
  for (const int blank : {0, 2})
    for (const bool zero_infinity : {false, true}) {
      const Batch<T> batch(6, 3, blank, sequences);
      const std::string what = label<T>(isa, "ctc", {blank, zero_infinity});
      const Results<double> got = with_threads(what, [&] { return batch.run(zero_infinity); });
      // Its losses are doubles, but no better than the logits' softmax.
      expect_close<T>(what, got, batch.expected(zero_infinity));
    }
}

// So many that sleeping workers are woken.
std::vector<Sequence> many_sequences(int T, int S) {
  Random random(9);
  std::vector<Sequence> sequences(21);
  for (Sequence& s : sequences) {
    s.length = T / 2 + random.below(T / 2 + 1);
    s.labels.resize(random.below(S + 1));
    for (int64_t& label : s.labels) label = 1 + random.below(4);
  }
  return sequences;
}

}  // namespace

void test_ctc(const Isa& isa) {
  compare<float>(isa);
  compare<double>(isa);
  const Batch<float> large(99, 33, 0, many_sequences(99, 18));
  with_threads(label<float>(isa, "large ctc", {}), [&] { return large.run(false); });
}

}  // namespace elman::selftest
