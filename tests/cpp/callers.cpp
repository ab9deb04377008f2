// Threads of a program that call the engine at the same time. They share one pool, which serves one call at a
// time, and the number of threads changes meanwhile; each caller's results are those that it gets alone.
#include <atomic>
#include <thread>

#include "stack_case.h"

namespace elman::selftest {
namespace {

// Passes of different kinds and sizes, and steppers; large buffers, since those are kept for the next call.
template <class T> Results<T> calls(const Case<T>& one, const std::string& what) {
  Results<T> all;
  for (const ForcedSchedule wanted : {ForcedSchedule::rows, ForcedSchedule::units}) {
    const Buffer<char> large(std::size_t{5} << 20);
    large[0] = 1;
    for (const Results<T>& results : {one.run(what, wanted), one.steps()})
      all.insert(all.end(), results.begin(), results.end());
  }
  return all;
}

template <class T> void call_at_once(const Isa& isa) {
  constexpr int count = 3, rounds = 4;
  const CellRef &lstm = find_cell(isa, "lstm"), &gru = find_cell(isa, "gru");
  const Case<T> cases[count] = {
      {isa, lstm, {5, 8, 20, 40}, true}, {isa, gru, {6, 5, 3, 18}, true}, {isa, lstm, {4, 1, 9, 33}, true}};
  const std::string what = label<T>(isa, "callers at once", {});
  set_num_threads(3);
  Results<T> got[count][rounds];
  std::atomic<int> left{count};
  std::vector<std::thread> callers;
  for (int i = 0; i < count; ++i)
    callers.emplace_back([&, i] {
      for (Results<T>& results : got[i]) results = calls(cases[i], what);
      --left;
    });
  for (int n = 0; left.load() > 0; ++n) {
    set_num_threads(2 + n % 3);
    std::this_thread::yield();
  }
  for (std::thread& caller : callers) caller.join();
  set_num_threads(1);
  for (int i = 0; i < count; ++i) {
    const Results<T> alone = calls(cases[i], what);
    for (const Results<T>& results : got[i]) expect_same_bits(what + " " + std::to_string(i), results, alone);
  }
}

}  // namespace

void test_callers(const Isa& isa) {
  call_at_once<float>(isa);
  call_at_once<double>(isa);
}

}  // namespace elman::selftest
