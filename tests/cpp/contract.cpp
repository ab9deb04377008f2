// The contract of a cell (csrc/cells/cell.h) where no cell of the library goes: three states, a step of two
// stages, weights stored in another type. And programs of one stage, of two, and of an
// elementwise cell. The engine runs them on kernels that come straight from their headers. Results are
// compared with plain loops in double, gradients with differences of those loops.
#include <memory>

#include "contract_cells.h"
#include "contract_mixture.h"
#include "contract_plain.h"
#include "contract_stages.h"
#include "programs/backward.h"
#include "programs/forward.h"
#include "programs/link.h"
#include "recurrent/compiled_backward.h"
#include "recurrent/compiled_forward.h"
#include "recurrent/pass.h"
#include "recurrent/scan.h"
#include "recurrent/spans.h"
#include "recurrent/stepper.h"
#include "selftest.h"
#include "tile/outer.h"

namespace elman::selftest {
namespace {

// Facts that do not fit are refused when cells are compiled: a feed beyond the slots, a gate that is not
// there.
constexpr bool fit(Feed x, Feed h, Feed later = {}) {
  return CellFacts{"test", 2, x, h, {"h"}, {"a", "b"}, {}, {later}}.sound();
}
static_assert(fit({0, 2, {0, 1}}, {0, 2, {0, 1}}) && fit({0, 2, {0, 1}}, {0, 1, {0}}, {1, 2, {1}}));
static_assert(!fit({0, 3, {0, 1, 1}}, {0, 2, {0, 1}}) && !fit({0, 2, {0, 1}}, {0, 2, {0, 2}}));
static_assert(!fit({0, 2, {0, 1}}, {0, 2, {0, 1}}, {1, 2, {1}}));

// An instruction set of two lanes with one cell, whose weights are stored as Stored. Few rows have a place in
// its tiles.
template <class Cell, class Stored> struct TestIsa {
  static constexpr int L = 2, registers = 11;
  template <class Weights> static void there(const ForwardJob<double>& job, const Piece& piece) {
    if constexpr (has_program<Cell>) forward<ProgramForward<double, L, registers>, double, L>(job, piece);
    else forward<CompiledForward<Cell, double, Weights, L, registers>, double, L>(job, piece);
  }
  static void back(const BackwardJob<double>& job, const Piece& piece) {
    if constexpr (has_program<Cell>)
      BackwardScan<ProgramBackward<double, L, registers>, double, L, registers>(
          job, piece, Cell::facts.columns(), Cell::states, Cell::facts.stage_count())
          .run();
    else backward<Cell, double, L, registers>(job, piece);
  }
  static ForwardKernels<double> forward_kernels_of() {
    if constexpr (has_program<Cell>)
      return {program_bytes<double, L>, program_pack<double, L>, &there<Stored>, program_first<double, L>,
              &there<Plain>};
    else
      return {packed_bytes<Cell, double, Stored, L>, pack<Cell, double, Stored, L>, &there<Stored>,
              pack_first<Cell, double, L>, &there<Plain>};
  }

  ForwardKernels<double> forward_kernels = forward_kernels_of();
  BackwardKernels<double> backward_kernels{&back};
  ProductKernels<double> products{L,
                                  max_rows<registers, tile_columns>,
                                  pack_matrix<double, L>,
                                  pack_transposed<double, L>,
                                  product<double, L, registers>,
                                  plain_scratch<double, L, registers>,
                                  multiply_plain<double, L, registers>,
                                  outer_scratch<double, L>,
                                  outer<double, L, registers>};
  CellRef cell{&Cell::facts, {}, {&forward_kernels, &backward_kernels}};
  Isa isa{};
  std::vector<Linked<double>> code;
  LinkedCell<double> linked;

  TestIsa() {
    isa.products_f64 = &products;
    if constexpr (has_program<Cell>) {
      const ProgramCell program = Cell::program();
      std::size_t count = 0;
      for (const auto* of_pass : {&program.forward, &program.forward_keep, &program.backward})
        for (const Program& one : *of_pass) count += one.count;
      code.resize(count);
      link<double, L>(program, code.data(), &linked);
      cell.f64.cell = &linked;
    }
  }
  TestIsa(const TestIsa&) = delete;
};

// How a pass is parted: by that many threads, with some steps ahead or none, in spans of one step.
struct How {
  int threads = 1;
  ForcedSchedule wanted = ForcedSchedule::any;
  bool ahead = false, short_spans = false;
};

// One layer through the engine: y and the final states; with a tape also the gradients of all inputs.
template <class Cell, class Stored>
Results<double> run(const Given& g, const Plan& plan, How how, bool with_tape) {
  TestIsa<Cell, Stored> test;
  if (how.ahead) test.products.tile_rows = 100;
  set_num_threads(how.threads);
  set_span(how.short_spans ? 1 : 0);
  const int T = g.z.T, B = g.z.B, I = g.z.I, H = g.z.H;
  const Stack stack{test.isa, test.cell, I, H, 1, 1};
  Weights<double> weights{I, H, g.ih.data(), g.hh.data(), g.bias_ih.data(), g.bias_hh.data()};
  for (int k = 0; k < Cell::facts.vector_count(); ++k) weights.vectors[k] = g.vectors.data() + k * H;
  const PackedStack<double> packed(stack, {weights});
  const PackedBackStack<double> packed_back(stack, {weights});
  const TapeLayout layout(Cell::facts, H, 1, {plan.total()}, plan.rows, !g.factors.empty());
  Values<double> memory(layout.size(), not_a_number<double>), y(T * B * H), final(g.initial.size());

  ForwardCall<double> there;
  there.packed = &packed;
  there.plans = {&plan};
  there.wanted = how.wanted;
  there.x = g.x.data();
  there.y = y.data();
  if (with_tape) {
    there.tape.layout = &layout;
    there.tape.memory = memory.data();
    if (!g.factors.empty()) there.tape.factors = g.factors.data();
  }
  for (int k = 0; k < Cell::states; ++k) {
    there.initial[k] = g.initial.data() + k * B * H;
    there.final[k] = final.data() + k * B * H;
  }
  run_forward(there);
  Results<double> results{y, final};
  if (!with_tape) return results;

  for (const auto* values : {&g.x, &g.ih, &g.hh, &g.bias_ih, &g.bias_hh, &g.vectors, &g.initial})
    results.emplace_back(values->size());
  const auto gradient = [&](int i) { return results[2 + i].data(); };
  BackwardCall<double> back;
  back.packed = &packed_back;
  back.plans = there.plans;
  back.wanted = how.wanted;
  back.tape = there.tape;
  back.x = g.x.data();
  back.dy = g.dy.data();
  back.dx = gradient(0);
  back.grads.push_back({gradient(1), gradient(2), gradient(3), gradient(4)});
  for (int k = 0; k < Cell::facts.vector_count(); ++k) back.grads[0].vectors[k] = gradient(5) + k * H;
  for (int k = 0; k < Cell::states; ++k) {
    back.initial[k] = there.initial[k];
    back.dfinal[k] = g.dfinal.data() + k * B * H;
    back.dinitial[k] = gradient(6) + k * B * H;
  }
  run_backward(back);
  set_span(0);
  return results;
}

// y of a stepper, for sequences of one length, against that of a pass.
template <class Cell> void test_stepper_of(const std::string& what, const Given& g) {
  const int T = g.z.T, B = g.z.B, I = g.z.I, H = g.z.H;
  Plan::Options options;
  options.T = T;
  options.B = B;
  const Plan plan(options);
  const Results<double> want = run<Cell, double>(g, plan, {}, false);
  TestIsa<Cell, double> test;
  Weights<double> weights{I, H, g.ih.data(), g.hh.data(), g.bias_ih.data(), g.bias_hh.data()};
  for (int k = 0; k < Cell::facts.vector_count(); ++k) weights.vectors[k] = g.vectors.data() + k * H;
  const Stack stack{test.isa, test.cell, I, H, 1, 1};
  Stepper<double> stepper(std::make_shared<PackedStack<double>>(stack, std::vector<Weights<double>>{weights}),
                          B, ForcedSchedule::any);
  for (int k = 0; k < Cell::states; ++k)
    std::copy_n(g.initial.data() + k * B * H, B * H, stepper.state(0, k));
  Values<double> y(T * B * H);
  for (int t = 0; t < T; ++t) stepper.step(g.x.data() + t * B * I, y.data() + t * B * H);
  expect_same_bits<double>(what + ", stepped", {y}, {want[0]});
}

void expect_within(const std::string& what, const Results<double>& got, size_t first,
                   const Results<double>& want, double tolerance) {
  for (size_t i = 0; i < want.size(); ++i) {
    if (got.at(first + i).size() != want[i].size()) fail(what + ": other sizes");
    for (size_t j = 0; j < want[i].size(); ++j) {
      const double off = std::fabs(got[first + i].at(j) - want[i][j]);
      if (!(off <= tolerance * std::max(1.0, std::fabs(want[i][j]))))
        return fail(what + " " + std::to_string(i) + ": off by " + std::to_string(off));
    }
  }
}

template <class Cell> void test_cell(const Step& step) {
  for (const bool with_factors : {false, true}) {
    if (with_factors && !Cell::facts.h_gates()) continue;
    for (const Sizes z : {Sizes{6, 5, 3, 5}, {3, 1, 2, 1}, {4, 2, 1, 8}}) {
      const std::string what = std::string("contract ") + Cell::facts.name + " " + std::to_string(z.H) +
                               (with_factors ? " with factors" : "");
      const Given given = make_given(Cell::facts, z, with_factors);
      const Plan plan = make_plan(z);
      const auto got = run<Cell, double>(given, plan, {}, true);
      expect_within(what + " results", got, 0, plain(given, plan, Cell::states, step), 1e-12);
      expect_within(what + " gradients", got, 2, differences(given, plan, Cell::states, step), 1e-6);
      for (const How how : {How{3, ForcedSchedule::units}, How{3, ForcedSchedule::rows},
                            How{4, ForcedSchedule::both, true}, How{1, ForcedSchedule::any, true, true}})
        expect_same_bits(what + " in pieces", run<Cell, double>(given, plan, how, true), got);
      if constexpr (!has_program<Cell>)
        expect_same_bits(what + " stored as float", run<Cell, float>(given, plan, {}, true), got);
      if (with_factors) continue;
      expect_same_bits(what + " without a tape",
                       run<Cell, double>(given, plan, {3, ForcedSchedule::units}, false), {got[0], got[1]});
      test_stepper_of<Cell>(what, given);
    }
  }
}

}  // namespace

void test_contract() {
  test_cell<ThreeStates>([](const Given& g, const Sum& sum, const Values<double>& h, States& s) {
    const States before = s;
    for (int u = 0; u < g.z.H; ++u) {
      const double f = logistic(sum(0, u, h)), c = std::tanh(sum(1, u, h)), o = logistic(sum(2, u, h));
      s[1][u] = f * before[1][u] + (1 - f) * c;
      s[2][u] = f * before[2][u] + (1 - f) * s[1][u];
      s[0][u] = o * std::tanh(s[2][u]);
    }
  });
  test_cell<Peephole>([](const Given& g, const Sum& sum, const Values<double>& h, States& s) {
    const int H = g.z.H;
    const double* p = g.vectors.data();
    for (int u = 0; u < H; ++u) {
      const double c = s[1][u];
      const double i = logistic(sum(0, u, h) + p[u] * c), f = logistic(sum(1, u, h) + p[H + u] * c);
      s[1][u] = f * c + i * std::tanh(sum(2, u, h));
      s[0][u] = logistic(sum(3, u, h) + p[2 * H + u] * s[1][u]) * std::tanh(s[1][u]);
    }
  });
  const Step reset_before = [](const Given& g, const Sum& sum, const Values<double>& h, States& s) {
    const int H = g.z.H;
    Values<double> passed(H);
    for (int u = 0; u < H; ++u) passed[u] = logistic(sum(0, u, h)) * s[0][u];
    for (int u = 0; u < H; ++u) {
      const double z = logistic(sum(1, u, h)), n = std::tanh(sum(2, u, passed));
      s[0][u] = (1 - z) * n + z * s[0][u];
    }
  };
  test_cell<ResetBefore>(reset_before);
  test_cell<StagesGru>(reset_before);
  const Step mixing = [](const Given& g, const Sum& sum, const Values<double>& h, States& s) {
    const int H = g.z.H;
    const Values<double> nothing(h.size());
    for (int u = 0; u < H; ++u) {
      const double z = logistic(sum(0, u, nothing) - g.bias_hh[u]), n = sum(1, u, nothing) - g.bias_hh[H + u];
      s[0][u] = (1 - z) * s[0][u] + z * n;
    }
  };
  test_cell<MinGru>(mixing);
  test_cell<Mixture>(mixing);
  const ProgramCell one = Mixture::program();
  for (const Affine& affine : {one.forward[1].affine, one.forward_keep[1].affine, one.backward[1].affine})
    if (affine.count != 1 || !affine.mixture) fail("contract mixture: not done as one");
  if (affine_of(program_of(no_mixture, 4), false).count) fail("contract mixture: of two columns");
}

}  // namespace elman::selftest
