// A layer of any cell as plain loops in double, one step of one unit at a time, and its gradients by
// differences.
#pragma once

#include <functional>

#include "recurrent/plan.h"
#include "selftest.h"

namespace elman::selftest {
namespace {

struct Sizes {
  int T, B, I, H;
};

// All that a layer is given. Weights are numbers that a float can hold, so that storing them as such changes
// no bit.
struct Given {
  Sizes z;
  Values<double> x, ih, hh, bias_ih, bias_hh, vectors, initial, factors, dy, dfinal;

  // Those that gradients are of, in their order.
  std::vector<Values<double>*> inputs() { return {&x, &ih, &hh, &bias_ih, &bias_hh, &vectors, &initial}; }
};

Given make_given(const CellFacts& cell, Sizes z, bool with_factors) {
  Random random(8);
  const auto some = [&](int n, double scale) {
    const Values<float> values = random.normals<float>(n, scale);
    return Values<double>(values.begin(), values.end());
  };
  const int G = cell.x_gates() * z.H, rows = z.T * z.B, states = cell.state_count() * z.B * z.H;
  Given g{z,
          some(rows * z.I, 1),
          some(G * z.I, 0.5),
          some(G * z.H, 0.5),
          some(G, 0.5),
          some(G, 0.5),
          some(cell.vector_count() * z.H, 0.5),
          some(states, 1),
          {},
          some(rows * z.H, 1),
          some(states, 1)};
  if (with_factors)
    for (int i = 0; i < z.B * z.H; ++i) g.factors.push_back(random.below(3) ? 1.5 : 0);
  return g;
}

// Sequences of different lengths, with a reset here and there.
Plan make_plan(Sizes z) {
  Random random(5);
  const std::vector<int64_t> lengths = random.lengths(z.B, z.T, z.T);
  std::vector<uint8_t> reset(z.T * z.B);
  for (auto& mark : reset) mark = random.below(6) == 0;
  Plan::Options options;
  options.T = z.T;
  options.B = z.B;
  options.lengths = lengths.data();
  options.reset = reset.data();
  return Plan(options);
}

// The plain loops: one step of one unit at a time, in words of the weights. `sum(gate, u, h)`: the
// pre-activation of a unit whose recurrent product reads h.
using Sum = std::function<double(int gate, int unit, const Values<double>& h)>;
using States = std::vector<Values<double>>;
using Step = std::function<void(const Given&, const Sum&, const Values<double>& masked_h, States&)>;

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// y and the final states.
Results<double> plain(const Given& g, const Plan& plan, int states, const Step& step) {
  const int T = g.z.T, B = g.z.B, I = g.z.I, H = g.z.H;
  const PlanView view = plan.view();
  Values<double> y(T * B * H), final(states * B * H);
  for (int segment = 0; segment < view.segments; ++segment) {
    const int start = view.start[segment], b = view.sequence[segment], finish = view.finish[segment];
    States s(states, Values<double>(H));
    for (int k = 0; start >= 0 && k < states; ++k)
      std::copy_n(g.initial.begin() + (k * B + start) * H, H, s[k].begin());
    for (int t = 0; t < view.steps && segment < view.alive[t]; ++t) {
      const int row = view.index[view.offset[t] + segment];
      const Sum sum = [&](int gate, int unit, const Values<double>& h) {
        const int m = gate * H + unit;
        double a = g.bias_ih[m] + g.bias_hh[m];
        for (int i = 0; i < I; ++i) a += g.ih[m * I + i] * g.x[row * I + i];
        for (int u = 0; u < H; ++u) a += g.hh[m * H + u] * h[u];
        return a;
      };
      Values<double> masked = s[0];
      for (int u = 0; !g.factors.empty() && u < H; ++u) masked[u] *= g.factors[b * H + u];
      step(g, sum, masked, s);
      std::copy(s[0].begin(), s[0].end(), y.begin() + row * H);
    }
    for (int k = 0; finish >= 0 && k < states; ++k)
      std::copy(s[k].begin(), s[k].end(), final.begin() + (k * B + finish) * H);
  }
  return {y, final};
}

// The gradients of sum(dy y) + sum(dfinal final), by differences.
Results<double> differences(Given g, const Plan& plan, int states, const Step& step) {
  const auto loss = [&] {
    const Results<double> r = plain(g, plan, states, step);
    double sum = 0;
    for (size_t i = 0; i < g.dy.size(); ++i) sum += g.dy[i] * r[0][i];
    for (size_t i = 0; i < g.dfinal.size(); ++i) sum += g.dfinal[i] * r[1][i];
    return sum;
  };
  Results<double> all;
  for (Values<double>* values : g.inputs()) {
    Values<double>& gradient = all.emplace_back();
    for (double& value : *values) {
      const double was = value, by = 1e-5;
      value = was + by;
      const double above = loss();
      value = was - by;
      gradient.push_back((above - loss()) / (2 * by));
      value = was;
    }
  }
  return all;
}

}  // namespace
}  // namespace elman::selftest
