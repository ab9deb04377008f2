// Steps of a stack, with threads: no allocation in any of them.
#include "recurrent/stepper.h"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

#include "selftest.h"

namespace {

std::atomic<long> allocations{0};

}  // namespace

// Counted. (The engine's own buffers come from allocate_bytes, which a step has no reason to call.)
void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size ? size : 1)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace elman::selftest {

void test_stepper() {
  Random random(2);
  const int I = 600, H = 600, B = 2;
  const auto ih = random.normals<float>(4 * H * I, 0.05), hh = random.normals<float>(4 * H * H, 0.05);
  Weights<float> weights;
  weights.I = I;
  weights.H = H;
  weights.ih = ih.data();
  weights.hh = hh.data();
  set_num_threads(2);
  const Stack stack{current_isa(), find_cell(current_isa(), "lstm"), I, H, 2, 1};
  const auto packed = std::make_shared<PackedStack<float>>(stack, std::vector<Weights<float>>(2, weights));
  Stepper<float> stepper(packed, B, ForcedSchedule::any);
  const auto x = random.normals<float>(B * I);
  Values<float> y(B * H);
  stepper.step(x.data(), y.data());  // starts the pool's threads
  const long before = allocations;
  for (int i = 0; i < 5; ++i) stepper.step(x.data(), y.data());
  const long made = allocations - before;
  if (made) fail("5 steps made " + std::to_string(made) + " allocations");
}

}  // namespace elman::selftest
