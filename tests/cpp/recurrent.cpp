// Every cell against the scalar kernels (which the Python tests compare with an oracle), forward and backward
// through stacks of two layers in two directions, with ragged plans, resets and both kinds of dropout; the
// same bits with every number of threads and every schedule, with a tape and without.
#include "stack_case.h"

namespace elman::selftest {
namespace {

template <class T> Results<T> parted_in_every_way(const std::string& what, const Case<T>& one) {
  const auto want = with_threads(what, [&] { return one.run(what, ForcedSchedule::any); });
  set_num_threads(4);
  for (const ForcedSchedule wanted : {ForcedSchedule::rows, ForcedSchedule::units, ForcedSchedule::both})
    expect_same_bits(what + ", parted", one.run(what, wanted), want);
  return want;
}

template <class T> void compare(const Isa& isa) {
  for (int i = 0; i < isa.cell_count; ++i) {
    for (const Sizes z : {Sizes{6, 5, 3, 18}, {4, 1, 9, 33}, {3, 13, 17, 7}, {1, 2, 1, 1}, {5, 8, 130, 40}}) {
      const bool masked = z.B != 13 && z.H != 33;
      const std::string what = label<T>(isa, isa.cells[i].facts->name, {z.T, z.B, z.I, z.H});
      const Case<T> one(isa, isa.cells[i], z, masked),
          other(*isas().back(), isas().back()->cells[i], z, masked);
      expect_close<T>(what, parted_in_every_way(what, one), other.run(what, ForcedSchedule::any));
    }
  }
}

}  // namespace

void test_recurrent(const Isa& isa) {
  compare<float>(isa);
  compare<double>(isa);
  // So many steps that sleeping workers are woken, and of so few rows that threads part the units.
  const Sizes large{36 * product_kernels<double>(isa).lanes, 2, 9, 70};
  const std::string what = label<double>(isa, "large lstm", {});
  const Case<double> one(isa, find_cell(isa, "lstm"), large, true);
  with_threads(what, [&] { return one.run(what, ForcedSchedule::any); });
}

}  // namespace elman::selftest
