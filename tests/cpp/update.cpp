// Optimisers give the same bits on every instruction set, with any number of threads.
#include "optim/update.h"

#include "selftest.h"

namespace elman::selftest {
namespace {

// The values and states after some steps of an optimiser, and the sum of squares of the gradients.
template <class T, class Rule>
Results<T> updated(const Rule& rule, int states, const std::vector<int>& sizes) {
  Random random(3);
  Results<T> arrays;
  std::vector<Slice<T>> slices;
  for (const int size : sizes) {
    Slice<T> slice;
    slice.count = size;
    slice.value = arrays.emplace_back(random.normals<T>(size)).data();
    for (int k = 0; k < states; ++k) slice.state[k] = arrays.emplace_back(size).data();
    slice.grad = arrays.emplace_back(random.normals<T>(size)).data();
    slices.push_back(slice);
  }
  for (int step = 0; step < 3; ++step) run_update(rule, slices);
  run_add(slices);
  arrays.push_back({static_cast<T>(run_sum_of_squares(slices))});
  return arrays;
}

template <class T> void compare(const Isa& isa) {
  const std::vector<int> sizes{1, 3, 18, 33, 5000};
  const auto check = [&](const auto& rule, int states, const char* name) {
    const Results<T> got = updated<T>(rule, states, sizes);
    use_isa(isas().back()->name);
    expect_same_bits(label<T>(isa, name, {states}), got, updated<T>(rule, states, sizes));
    use_isa(isa.name);
  };
  const Rule<T> shared{T(0.01), T(0.7), T(0.1)};
  for (const bool nesterov : {false, true}) check(Sgd<T>{shared, T(0.9), nesterov}, 1, "sgd");
  check(Sgd<T>{shared, 0, false}, 0, "sgd");
  for (const int states : {1, 2})
    check(RmsProp<T>{shared, T(0.9), T(0.1), T(1e-8), T(0.9)}, states, "rmsprop");
  check(Adam<T>{shared, T(0.99), T(0.9), T(0.1), T(0.99), T(0.01), T(1e-8)}, 2, "adam");
}

}  // namespace

void test_update(const Isa& isa) {
  compare<float>(isa);
  compare<double>(isa);
  // So many elements that sleeping workers are woken.
  const Sgd<float> rule{{0.01f, 1, 0}, 0.9f, false};
  with_threads(label<float>(isa, "sgd", {}), [&] { return updated<float>(rule, 1, {9, 2000000}); });
}

}  // namespace elman::selftest
