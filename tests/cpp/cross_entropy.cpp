// The softmax and its loss against loops in double.
#include "losses/cross_entropy.h"

#include "layers/softmax.h"
#include "selftest.h"

namespace elman::selftest {
namespace {

struct Case {
  int N, C;
  bool weighted;
  double smoothing, spread;  // of the logits
};

template <class T> struct Batch {
  const Case c;
  Values<T> logits;
  std::vector<int64_t> target;
  Values<double> shares, weights;
  // Rows that do not count have neither a target nor logits.
  explicit Batch(const Case& which) : c(which), target(c.N), shares(c.N * c.C), weights(c.N, 1) {
    Random random(6);
    logits = random.normals<T>(c.N * c.C, c.spread);
    for (int n = 0; n < c.N; ++n) {
      target[n] = random.below(c.C);
      shares[n * c.C + target[n]] = 1;
      if (c.weighted) weights[n] = random.below(3);
      if (weights[n]) continue;
      target[n] = -1;
      std::fill_n(logits.begin() + n * c.C, c.C, not_a_number<T>);
    }
  }

  // The loss without the gradient, with it, and of targets that are shares; the gradient of the last two; and
  // the probabilities, in place and not.
  Results<T> run() const {
    CrossEntropy<T> call;
    call.N = c.N;
    call.C = c.C;
    call.logits = logits.data();
    call.target = target.data();
    call.weights = c.weighted ? weights.data() : nullptr;
    call.smoothing = c.smoothing;
    const double loss = run_cross_entropy(call).loss;
    Values<T> gradient(logits.size(), not_a_number<T>), p = gradient, of_shares = gradient, in_place = logits;
    call.d_logits = gradient.data();
    const double again = run_cross_entropy(call).loss;
    call.target = nullptr;
    call.shares = shares.data();
    call.d_logits = of_shares.data();
    const WeightedSum total = run_cross_entropy(call);
    run_softmax(logits.data(), p.data(), c.N, c.C);
    run_softmax(in_place.data(), in_place.data(), c.N, c.C);
    return {{T(loss), T(again), T(total.loss), T(total.weight)}, gradient, of_shares, p, in_place};
  }

  Results<double> expected() const {
    double loss = 0, all = 0;
    Values<double> gradient(logits.size()), p = widened(logits);
    for (const double w : weights) all += w;
    for (int n = 0; n < c.N; ++n) {
      if (!weights[n]) continue;
      double *row = p.data() + n * c.C, largest = row[0], sum = 0;
      for (int i = 0; i < c.C; ++i) largest = std::max(largest, row[i]);
      for (int i = 0; i < c.C; ++i) sum += std::exp(row[i] - largest);
      for (int i = 0; i < c.C; ++i) {
        const double wanted = c.smoothing / c.C + (i == target[n] ? 1 - c.smoothing : 0);
        const double log_p = row[i] - largest - std::log(sum);
        loss -= weights[n] * wanted * log_p;
        row[i] = std::exp(log_p);
        gradient[n * c.C + i] = weights[n] / all * (row[i] - wanted);
      }
    }
    return {{loss, loss, loss, all}, gradient, gradient, p, p};
  }
};

template <class T> void compare(const Isa& isa) {
  // The last is so large that sleeping workers are woken.
  for (const Case& c : {Case{1, 1, false, 0, 1},
                        {0, 3, false, 0, 1},
                        {7, 3, false, 0.1, 3},
                        {9, 18, true, 0, 3},
                        {18, 7, true, 0.1, 300},
                        {3, 33, false, 0, 30},
                        {5, 130, true, 0.2, 3},
                        {3500, 33, true, 0.1, 3}}) {
    const Batch<T> batch(c);
    const std::string what = label<T>(isa, "cross-entropy", {c.N, c.C});
    expect_close<T>(what, with_threads(what, [&] { return batch.run(); }), batch.expected());
  }
}

}  // namespace

void test_cross_entropy(const Isa& isa) {
  compare<float>(isa);
  compare<double>(isa);
}

}  // namespace elman::selftest
