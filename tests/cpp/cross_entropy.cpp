// The softmax and its loss against loops in double.
#include "losses/cross_entropy.h"

#include "layers/softmax.h"
#include "selftest.h"

namespace elman::selftest {
namespace {

struct Case {
  int N, C;
  bool masked;
  double smoothing, spread;  // of the logits
};

template <class T> struct Batch {
  const Case c;
  const T scale = T(0.7);
  Values<T> logits;
  std::vector<int64_t> target;
  std::vector<uint8_t> mask;
  // Rows that do not count have neither a target nor logits.
  explicit Batch(const Case& which) : c(which), target(c.N), mask(c.N, 1) {
    Random random(6);
    logits = random.normals<T>(c.N * c.C, c.spread);
    for (int n = 0; n < c.N; ++n) {
      target[n] = random.below(c.C);
      mask[n] = !c.masked || random.below(3) > 0;
      if (mask[n]) continue;
      target[n] = -1;
      std::fill_n(logits.begin() + n * c.C, c.C, not_a_number<T>);
    }
  }

  // Twice the loss, without the gradient and with it; the gradient; and the probabilities, in place and not.
  Results<T> run() const {
    CrossEntropy<T> call;
    call.N = c.N;
    call.C = c.C;
    call.logits = logits.data();
    call.target = target.data();
    call.mask = c.masked ? mask.data() : nullptr;
    call.smoothing = c.smoothing;
    call.scale = scale;
    const double loss = run_cross_entropy(call);
    Values<T> gradient(logits.size(), not_a_number<T>), p = gradient, in_place = logits;
    call.d_logits = gradient.data();
    const double again = run_cross_entropy(call);
    run_softmax(logits.data(), p.data(), c.N, c.C);
    run_softmax(in_place.data(), in_place.data(), c.N, c.C);
    return {{T(loss), T(again)}, gradient, p, in_place};
  }

  Results<double> expected() const {
    double loss = 0;
    Values<double> gradient(logits.size()), p = widened(logits);
    for (int n = 0; n < c.N; ++n) {
      if (!mask[n]) continue;
      double *row = p.data() + n * c.C, largest = row[0], sum = 0;
      for (int i = 0; i < c.C; ++i) largest = std::max(largest, row[i]);
      for (int i = 0; i < c.C; ++i) sum += std::exp(row[i] - largest);
      for (int i = 0; i < c.C; ++i) {
        const double wanted = c.smoothing / c.C + (i == target[n] ? 1 - c.smoothing : 0);
        const double log_p = row[i] - largest - std::log(sum);
        loss -= wanted * log_p;
        row[i] = std::exp(log_p);
        gradient[n * c.C + i] = scale * (row[i] - wanted);
      }
    }
    return {{loss, loss}, gradient, p, p};
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
