// Every cell against the scalar kernels (which the Python tests compare with an oracle), forward and
// backward, in two directions, with ragged plans, resets and recurrent drop
#include "recurrent/layer.h"
#include "selftest.h"

namespace elman::selftest {
namespace {

struct Sizes {
  int T, B, I, H;
};

template <class T> Results<T> run(const Isa& isa, int cell, Sizes z) {
  Random random(1);
  const CellFacts& info = *isa.cells[cell];
  const int G = info.gate_count(), H = z.H, directions = 2;
  const std::size_t rows = std::size_t(z.T) * z.B, states = std::size_t(z.B) * H;
  const auto x = random.normals<T>(rows * z.I), dy = random.normals<T>(rows * H * directions);
  const auto w_ih = random.normals<T>(std::size_t(G) * H * z.I, 0.3),
             w_hh = random.normals<T>(std::size_t(G) * H * H, 0.3);
  const auto bias = random.normals<T>(G * H), initial = random.normals<T>(states);
  const std::vector<int64_t> lengths = random.lengths(z.B, z.T, z.T);
  std::vector<uint8_t> reset(rows);
  for (auto& mark : reset) mark = random.below(5) == 0;

  Values<T> y(rows * H * directions), dx(rows * z.I), final_state(directions * info.state_count() * states);
  Values<T> initial_gradient(final_state.size());
  Values<T> d_ih(w_ih.size()), d_hh(w_hh.size()), d_bias_ih(G * H), d_bias_hh(G * H);  // added to

  Weights<T> weights;
  weights.I = z.I;
  weights.H = H;
  weights.ih = w_ih.data();
  weights.hh = w_hh.data();
  weights.bias_ih = weights.bias_hh = bias.data();
  const Packed<T> packed(isa, cell, weights);
  const PackedBack<T> packed_back(isa, cell, weights);
  std::vector<Plan> plans;
  for (int d = 0; d < directions; ++d) {
    Plan::Options options;
    options.T = z.T;
    options.B = z.B;
    options.reverse = d == 1;
    options.lengths = lengths.data();
    options.reset = reset.data();
    plans.emplace_back(options);
  }
  // Factors of recurrent dropout in one of the two directions.
  auto factors = random.normals<T>(states);
  for (T& factor : factors) factor = factor < 0 ? 0 : 2;
  std::vector<Buffer<T>> tapes, states_beyond, masked;
  std::vector<ForwardCall<T>> forward(directions);
  std::vector<BackwardCall<T>> backward(directions);
  for (int d = 0; d < directions; ++d) {
    forward[d].packed = &packed;
    forward[d].plan = backward[d].plan = &plans[d];
    tapes.emplace_back(plans[d].total() * info.slots * H);
    states_beyond.emplace_back(plans[d].total() * H * info.state_count());
    masked.emplace_back(plans[d].total() * H);
    forward[d].tape.slots = tapes[d].data();
    for (int k = 1; k < info.state_count(); ++k)
      forward[d].tape.states[k] = states_beyond[d].data() + (k - 1) * plans[d].total() * H;
    if (d) forward[d].tape.factors = factors.data(), forward[d].tape.masked = masked[d].data();
    backward[d].tape = forward[d].tape;
    ForwardJob<T>& f = forward[d].job;
    BackwardJob<T>& b = backward[d].job;
    f.x = backward[d].x = x.data();
    f.y = y.data() + d * H;
    b.y = f.y;
    b.dy = dy.data() + d * H;
    f.y_stride = b.y_stride = b.dy_stride = H * directions;
    for (int k = 0; k < info.state_count(); ++k) {
      f.initial[k] = b.initial[k] = b.dfinal[k] = initial.data();
      f.final[k] = final_state.data() + (d * info.state_count() + k) * states;
      b.dinitial[k] = initial_gradient.data() + (d * info.state_count() + k) * states;
    }
    backward[d].packed = &packed_back;
    backward[d].d_ih = d_ih.data();
    backward[d].d_hh = d_hh.data();
    backward[d].d_bias_ih = d_bias_ih.data();
    backward[d].d_bias_hh = d_bias_hh.data();
  }
  run_forward(forward);
  run_backward(backward, dx.data());
  return {y, dx, final_state, initial_gradient, d_ih, d_hh, d_bias_ih, d_bias_hh};
}

template <class T> void compare(const Isa& isa) {
  for (int cell = 0; cell < isa.cell_count; ++cell) {
    for (const Sizes z : {Sizes{6, 5, 3, 18}, {4, 1, 9, 33}, {3, 13, 17, 7}, {1, 2, 1, 1}, {5, 8, 130, 40}}) {
      const std::string what = label<T>(isa, isa.cells[cell]->name, {z.T, z.B, z.I, z.H});
      expect_close<T>(what, with_threads(what, [&] { return run<T>(isa, cell, z); }),
                      run<T>(*isas().back(), cell, z));
    }
  }
}

}  // namespace

void test_recurrent(const Isa& isa) {
  compare<float>(isa);
  compare<double>(isa);
  // So many steps that sleeping workers are woken, and of so few rows that threads part the units.
  const Sizes large{36 * product_kernels<double>(isa).lanes, 2, 9, 70};
  with_threads(label<double>(isa, "large lstm", {}),
               [&] { return run<double>(isa, find_cell("lstm"), large); });
}

}  // namespace elman::selftest
