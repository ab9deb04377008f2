// Runs without Python, for processors under emulation and for sanitizers: every cell, type and instruction
// set this build can run against the scalar kernels, forward and backward, with ragged plans and threads; and
// the optimisers.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>

#include "engine/layer.h"
#include "engine/stepper.h"
#include "engine/threads.h"
#include "train/optimise.h"

using namespace elman;

namespace {

std::atomic<long> allocations{0};

}  // namespace

// Counted, so that a step can be shown to make none. (The engine's own buffers come from allocate_bytes,
// which a step has no reason to call.)
void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size ? size : 1)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace {

template <class T> using Values = std::vector<T>;

struct Sizes {
  int T, B, I, H;
};

template <class T> struct Outcome {
  Values<T> y, dx, final_state, initial_gradient, d_ih, d_hh, d_bias_ih, d_bias_hh;
  std::vector<const Values<T>*> all() const {
    return {&y, &dx, &final_state, &initial_gradient, &d_ih, &d_hh, &d_bias_ih, &d_bias_hh};
  }
};

template <class T> Values<T> normal(std::mt19937& rng, std::size_t n, double scale) {
  std::normal_distribution<double> distribution(0, scale);
  Values<T> values(n);
  for (T& value : values) value = static_cast<T>(distribution(rng));
  return values;
}

template <class T> Outcome<T> run(const Isa& isa, int cell, Sizes z) {
  std::mt19937 rng(1);
  const CellInfo& info = isa.cells[cell];
  const int G = info.gates, H = z.H, directions = 2;
  const std::size_t rows = std::size_t(z.T) * z.B, states = std::size_t(z.B) * H;
  const auto x = normal<T>(rng, rows * z.I, 1), dy = normal<T>(rng, rows * H * directions, 1);
  const auto w_ih = normal<T>(rng, std::size_t(G) * H * z.I, 0.3),
             w_hh = normal<T>(rng, std::size_t(G) * H * H, 0.3);
  const auto bias = normal<T>(rng, G * H, 1), initial = normal<T>(rng, states, 1);
  std::vector<int64_t> lengths(z.B);
  for (auto& length : lengths) length = static_cast<int64_t>(rng() % (z.T + 1));
  std::vector<char> reset(rows);
  for (auto& mark : reset) mark = rng() % 5 == 0;

  Outcome<T> out;
  out.y.resize(rows * H * directions);
  out.dx.resize(rows * z.I);
  out.final_state.resize(directions * info.states * states);
  out.initial_gradient.resize(out.final_state.size());
  out.d_ih.resize(w_ih.size());
  out.d_hh.resize(w_hh.size());
  out.d_bias_ih.resize(G * H);
  out.d_bias_hh.resize(G * H);

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
    options.reset = reinterpret_cast<const bool*>(reset.data());
    plans.emplace_back(options);
  }
  // Factors of recurrent dropout in one of the two directions.
  auto factors = normal<T>(rng, states, 1);
  for (T& factor : factors) factor = factor < 0 ? 0 : 2;
  std::vector<Buffer<T>> tapes, memories, masked;
  std::vector<ForwardCall<T>> forward(directions);
  std::vector<BackwardCall<T>> backward(directions);
  for (int d = 0; d < directions; ++d) {
    forward[d].packed = &packed;
    forward[d].plan = backward[d].plan = &plans[d];
    tapes.emplace_back(plans[d].total() * info.slots * H);
    memories.emplace_back(plans[d].total() * H);
    masked.emplace_back(plans[d].total() * H);
    forward[d].tape = {tapes[d].data(), memories[d].data()};
    if (d) forward[d].tape.factors = factors.data(), forward[d].tape.masked = masked[d].data();
    backward[d].tape = forward[d].tape;
    ForwardJob<T>& f = forward[d].job;
    BackwardJob<T>& b = backward[d].job;
    f.x = backward[d].x = x.data();
    f.y = out.y.data() + d * H;
    b.y = f.y;
    b.dy = dy.data() + d * H;
    f.y_stride = b.y_stride = b.dy_stride = H * directions;
    for (int k = 0; k < info.states; ++k) {
      f.initial[k] = b.initial[k] = b.dfinal[k] = initial.data();
      f.final[k] = out.final_state.data() + (d * info.states + k) * states;
      b.dinitial[k] = out.initial_gradient.data() + (d * info.states + k) * states;
    }
    backward[d].packed = &packed_back;
    backward[d].d_ih = out.d_ih.data();
    backward[d].d_hh = out.d_hh.data();
    backward[d].d_bias_ih = out.d_bias_ih.data();
    backward[d].d_bias_hh = out.d_bias_hh.data();
  }
  run_forward(forward);
  run_backward(backward, out.dx.data());
  return out;
}

template <class T> int compare(const Isa& isa, const char* type, double tolerance) {
  const Isa& reference = *isas().back();
  int failures = 0;
  for (int cell = 0; cell < cell_count; ++cell) {
    for (const Sizes z : {Sizes{6, 5, 3, 18}, {4, 1, 9, 33}, {3, 13, 17, 7}, {1, 2, 1, 1}, {5, 8, 130, 40}}) {
      const Outcome<T> want = run<T>(reference, cell, z);
      for (int threads : {1, 3}) {
        set_num_threads(threads);
        const Outcome<T> got = run<T>(isa, cell, z);
        double error = 0;
        for (size_t i = 0; i < want.all().size(); ++i) {
          double largest = 1;
          for (T value : *want.all()[i]) largest = std::max(largest, double(std::fabs(value)));
          for (size_t j = 0; j < want.all()[i]->size(); ++j) {
            const double off = std::fabs(double((*got.all()[i])[j]) - double((*want.all()[i])[j])) / largest;
            error = off <= error ? error : off;  // NaN counts
          }
        }
        if (!(error <= tolerance)) {
          ++failures;
          std::printf("%s %s %s T %d B %d I %d H %d threads %d: off by %g\n", isa.name, type,
                      isa.cells[cell].name, z.T, z.B, z.I, z.H, threads, error);
        }
      }
    }
  }
  return failures;
}

// The values and states after some steps of an optimiser, and the sum of squares of the last gradients.
template <class T, class Rule>
Values<T> optimised(const Isa& isa, const Rule& rule, int states, const std::vector<int>& sizes) {
  use_isa(isa.name);
  std::mt19937 rng(3);
  std::vector<Values<T>> arrays;
  std::vector<Slice<T>> slices;
  for (const int size : sizes) {
    Slice<T> slice;
    slice.count = size;
    slice.value = arrays.emplace_back(normal<T>(rng, size, 1)).data();
    for (int k = 0; k < states; ++k) slice.state[k] = arrays.emplace_back(size).data();
    slice.grad = arrays.emplace_back(normal<T>(rng, size, 1)).data();
    slices.push_back(slice);
  }
  for (int step = 0; step < 3; ++step) run_update(rule, slices);
  Values<T> all{static_cast<T>(run_sum_of_squares(slices))};
  for (const Values<T>& array : arrays) all.insert(all.end(), array.begin(), array.end());
  return all;
}

// Optimisers give the same bits on every instruction set.
template <class T> int different_updates(const Isa& isa) {
  const Isa& reference = *isas().back();
  const std::vector<int> sizes{1, 3, 18, 33, 5000};
  int failures = 0;
  const auto check = [&](const auto& rule, int states, const char* name) {
    if (optimised<T>(isa, rule, states, sizes) == optimised<T>(reference, rule, states, sizes)) return;
    ++failures;
    std::printf("%s %s with %d states: other bits\n", isa.name, name, states);
  };
  const Rule<T> shared{T(0.01), T(0.7), T(0.1)};
  for (const bool nesterov : {false, true}) check(Sgd<T>{shared, T(0.9), nesterov}, 1, "sgd");
  check(Sgd<T>{shared, 0, false}, 0, "sgd");
  for (const int states : {1, 2})
    check(RmsProp<T>{shared, T(0.9), T(0.1), T(1e-8), T(0.9)}, states, "rmsprop");
  check(Adam<T>{shared, T(0.99), T(0.9), T(0.1), T(0.99), T(0.01), T(1e-8)}, 2, "adam");
  return failures;
}

// So many elements that sleeping workers are woken.
int different_with_threads() {
  const Sgd<float> rule{{0.01f, 1, 0}, 0.9f, false};
  set_num_threads(1);
  const Values<float> want = optimised<float>(current_isa(), rule, 1, {9, 2000000});
  set_num_threads(3);
  if (optimised<float>(current_isa(), rule, 1, {9, 2000000}) == want) return 0;
  std::printf("sgd with threads: other bits\n");
  return 1;
}

// Steps of a stack, with threads: no allocation in any of them.
int allocating_steps() {
  std::mt19937 rng(2);
  const int I = 600, H = 600, B = 2;
  const auto ih = normal<float>(rng, 4 * H * I, 0.05), hh = normal<float>(rng, 4 * H * H, 0.05);
  Weights<float> weights;
  weights.I = I;
  weights.H = H;
  weights.ih = ih.data();
  weights.hh = hh.data();
  set_num_threads(2);
  std::vector<std::shared_ptr<Packed<float>>> stack;
  for (int l = 0; l < 2; ++l)
    stack.push_back(std::make_shared<Packed<float>>(current_isa(), find_cell("lstm"), weights));
  Stepper<float> stepper(stack, B);
  const auto x = normal<float>(rng, B * I, 1);
  Values<float> y(B * H);
  stepper.step(x.data(), y.data());  // starts the pool's threads
  const long before = allocations;
  for (int i = 0; i < 20; ++i) stepper.step(x.data(), y.data());
  const long made = allocations - before;
  if (made) std::printf("20 steps made %ld allocations\n", made);
  return made != 0;
}

}  // namespace

int main() {
  int failures = allocating_steps() + different_with_threads();
  for (const Isa* isa : isas()) {
    failures += compare<float>(*isa, "float32", 2e-5) + compare<double>(*isa, "float64", 1e-13);
    failures += different_updates<float>(*isa) + different_updates<double>(*isa);
    std::printf("%s compared\n", isa->name);
  }
  std::printf("%d failures\n", failures);
  return failures != 0;
}
