// The contract of a cell (csrc/cells/cell.h) where no cell of the library goes: three states, per-unit
// vectors, a program known only at run time, a step of two stages, weights stored in another type. The
// kernels come straight from their headers; they are compared with plain loops in double, and their gradients
// with differences of those loops.
#include <deque>
#include <functional>
#include <thread>

#include "cells/cells.h"
#include "machine/buffer.h"
#include "recurrent/plan.h"
#include "recurrent/scan.h"
#include "recurrent/scan_back.h"
#include "recurrent/vector_sums.h"
#include "selftest.h"

namespace elman::selftest {
namespace {

// c' = f c + (1 - f) g,  m' = f m + (1 - f) c',  h' = o tanh(m').
struct ThreeStates : CellConstants<ThreeStates> {
  static constexpr CellFacts facts{"three_states", 3, {0, 3, {0, 1, 2}}, {0, 3, {0, 1, 2}}, {"h", "c", "m"},
                                   {"f", "g", "o"}};

  template <class V> void forward(V* a, V* s, const V*) const {
    a[0] = sigmoid(a[0]), a[1] = tanh(a[1]), a[2] = sigmoid(a[2]);
    s[1] = mul_add(a[0], s[1] - a[1], a[1]);
    s[2] = mul_add(a[0], s[2] - s[1], s[1]);
    s[0] = a[2] * tanh(s[2]);
  }
  template <class V> void backward(V* a, const V* s, const V* s1, V* d, const V*) const {
    const V one = splat<V>(1), f = a[0], g = a[1], o = a[2], tanh_m = tanh(s1[2]);
    const V dm = mul_add(d[0] * o, one - tanh_m * tanh_m, d[2]), dc = mul_add(dm, one - f, d[1]);
    a[0] = (dm * (s[2] - s1[1]) + dc * (s[1] - g)) * f * (one - f);
    a[1] = dc * (one - f) * (one - g * g);
    a[2] = d[0] * tanh_m * o * (one - o);
    d[0] = V{}, d[1] = dc * f, d[2] = dm * f;
  }
};

// LSTM with peepholes (Gers & Schmidhuber 2000): i and f also see c, o sees c'.
struct Peephole : CellConstants<Peephole> {
  static constexpr CellFacts facts{"peephole",           4,
                                   {0, 4, {0, 1, 2, 3}}, {0, 4, {0, 1, 2, 3}},
                                   {"h", "c"},           {"i", "f", "g", "o"},
                                   {0, 1, 0, 0},         {"p_i", "p_f", "p_o"}};

  template <class V> void forward(V* a, V* s, const V* v) const {
    const V i = sigmoid(mul_add(v[0], s[1], a[0])), f = sigmoid(mul_add(v[1], s[1], a[1])), g = tanh(a[2]);
    s[1] = mul_add(f, s[1], i * g);
    const V o = sigmoid(mul_add(v[2], s[1], a[3]));
    s[0] = o * tanh(s[1]);
    a[0] = i, a[1] = f, a[2] = g, a[3] = o;
  }
  template <class V> void backward(V* a, const V* s, const V* s1, V* d, const V* v) const {
    const V one = splat<V>(1), i = a[0], f = a[1], g = a[2], o = a[3], tanh_c = tanh(s1[1]);
    a[3] = d[0] * tanh_c * o * (one - o);
    const V dc = d[1] + d[0] * o * (one - tanh_c * tanh_c) + a[3] * v[2];
    a[0] = dc * g * i * (one - i);
    a[1] = dc * s[1] * f * (one - f);
    a[2] = dc * i * (one - g * g);
    d[0] = V{};
    d[1] = dc * f + a[0] * v[0] + a[1] * v[1];
  }
  template <class V> void vector_gradients(const V* da, const V* s, const V* s1, V* dv) const {
    dv[0] = da[0] * s[1], dv[1] = da[1] * s[1], dv[2] = da[3] * s1[1];
  }
};

// What is done to a pre-activation, one after the other, is known at run time only.
struct Program {
  struct Operation {
    enum { scale, leak, tanh } kind;
    double by;  // scale: a = by a; leak: a = a + by h
  };
  std::vector<Operation> operations;
};
struct Programmed : CellConstants<Programmed> {
  static constexpr CellFacts facts{"programmed", 1, {0, 1, {0}}, {0, 1, {0}}, {"h"}, {"h"}};
  const Program& program;
  explicit Programmed(const void* p) : program(*static_cast<const Program*>(p)) {}

  template <class V> void forward(V* a, V* s, const V*) const {
    V value = a[0];
    for (const auto& operation : program.operations) {
      const V by = splat<V>(operation.by);
      if (operation.kind == operation.scale) value = value * by;
      else if (operation.kind == operation.leak) value = mul_add(by, s[0], value);
      else value = tanh(value);
    }
    s[0] = value;
  }
  // From the pre-activation, which forward has left as it was: the gradient's factors to a and to h.
  template <class V> void backward(V* a, const V* s, const V*, V* d, const V*) const {
    V value = a[0], to_a = splat<V>(1), to_h = V{};
    for (const auto& operation : program.operations) {
      const V by = splat<V>(operation.by);
      V slope = splat<V>(1);
      if (operation.kind == operation.scale) {
        value = value * by, slope = by;
      } else if (operation.kind == operation.leak) {
        value = mul_add(by, s[0], value), to_h = to_h + by;
      } else {
        value = tanh(value), slope = splat<V>(1) - value * value;
      }
      to_a = to_a * slope, to_h = to_h * slope;
    }
    a[0] = d[0] * to_a;
    d[0] = d[0] * to_h;
  }
};

// GRU as in Cho et al. 2014: the reset gate acts on h before the candidate's product,
//   n = tanh(n_x + W (r h)),  h' = (1 - z) n + z h.
struct ResetBefore : CellConstants<ResetBefore> {
  static constexpr CellFacts facts{
      "reset_before", 3, {0, 3, {0, 1, 2}}, {0, 2, {0, 1}}, {"h"}, {"r", "z", "n"}, {}, {}, {{2, 3, {2}}}};

  template <class V> V pass_on(int, V* a, const V* s, const V*) const {
    a[0] = sigmoid(a[0]), a[1] = sigmoid(a[1]);
    return a[0] * s[0];
  }
  template <class V> void forward(V* a, V* s, const V*) const {
    a[2] = tanh(a[2]);
    s[0] = mul_add(a[1], s[0] - a[2], a[2]);
  }
  template <class V> void backward(V* a, const V* s, const V*, V* d, const V*) const {
    const V one = splat<V>(1), z = a[1], n = a[2], dh = d[0];
    a[1] = dh * (s[0] - n) * z * (one - z);
    a[2] = dh * (one - z) * (one - n * n);
    d[0] = dh * z;
  }
  template <class V> void pass_back(int, V* a, const V* s, V dp, V* d, const V*) const {
    const V r = a[0];
    d[0] = mul_add(dp, r, d[0]);
    a[0] = dp * s[0] * r * (splat<V>(1) - r);
  }
};

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
  const int G = cell.gate_count() * z.H, rows = z.T * z.B, states = cell.state_count() * z.B * z.H;
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
  const auto [T, B, I, H] = g.z;
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

// How the kernels are called.
struct How {
  int segment_parts = 1, unit_parts = 1, chunk = 0;
};

// One layer on the kernels of a cell.
template <class Cell, class Stored, int L> class Layer {
 public:
  Layer(const Given& given, const Plan& plan, How how, const void* program)
      : g_(given), plan_(plan), view_(plan.view()), how_(how), program_(program), zeros_(H) {}

  // y and the final states; then, if the tape is kept, all gradients.
  Results<double> run(bool keep) {
    forward(keep);
    Results<double> results{y_, final_};
    if (keep)
      for (auto& gradient : backward()) results.push_back(std::move(gradient));
    return results;
  }

 private:
  static constexpr int S = Cell::slots, states = Cell::states, registers = 11;
  const Given& g_;
  const Plan& plan_;
  const PlanView view_;
  const How how_;
  const void* const program_;
  const int I = g_.z.I, H = g_.z.H, B = g_.z.B, groups = (H + L - 1) / L;
  const Values<double> zeros_;
  // Every piece on a thread of its own.
  template <class F> void run_pieces(const F& f) const {
    std::vector<std::thread> threads;
    std::deque<Barrier> barriers;
    std::deque<Buffer<char>> scratch;
    for (int i = 0; i < how_.segment_parts; ++i) {
      Barrier& barrier = barriers.emplace_back(how_.unit_parts);
      for (int u = 0; u < how_.unit_parts; ++u) {
        Piece piece;
        piece.segment_begin = i;
        piece.segment_stride = how_.segment_parts;
        piece.segments = (view_.segments - i + how_.segment_parts - 1) / how_.segment_parts;
        piece.group_begin = groups * u / how_.unit_parts;
        piece.group_end = groups * (u + 1) / how_.unit_parts;
        piece.barrier = how_.unit_parts > 1 ? &barrier : nullptr;
        piece.scratch = scratch.emplace_back(scratch_bytes(std::max(1, how_.chunk) * piece.segments)).data();
        threads.emplace_back([&f, piece] { f(piece); });
      }
    }
    for (std::thread& thread : threads) thread.join();
  }

  void forward(bool keep) {
    Weights<double> weights;
    weights.I = I;
    weights.H = H;
    weights.ih = g_.ih.data();
    weights.hh = g_.hh.data();
    weights.bias_ih = g_.bias_ih.data();
    weights.bias_hh = g_.bias_hh.data();
    for (int k = 0; k < Cell::vectors; ++k) weights.vectors[k] = g_.vectors.data() + k * H;
    const Buffer<char> packed(packed_bytes<Cell, double, Stored, L>(I, H));
    pack<Cell, double, Stored, L>(weights, packed.data(), 0, groups);

    const std::size_t entries = keep ? plan_.total() : view_.segments;
    const std::size_t slots = keep ? plan_.total() : view_.segments * how_.chunk;
    y_.assign(g_.z.T * B * H, 0);
    final_.assign(states * B * H, 0);
    slots_.assign(slots * S * H, not_a_number<double>);
    for (auto& state : states_) state.assign(entries * H, not_a_number<double>);
    for (auto& read : read_) read.assign(entries * H, not_a_number<double>);
    ForwardJob<double> job;
    job.I = I;
    job.H = H;
    job.plan = view_;
    job.program = program_;
    job.packed = packed.data();
    job.x = g_.x.data();
    job.y = y_.data();
    job.y_stride = H;
    for (int k = 0; k < states; ++k) {
      job.initial[k] = g_.initial.data() + k * B * H;
      job.final[k] = final_.data() + k * B * H;
      if (k) job.states[k] = states_[k].data();
    }
    job.slots = slots_.data();
    for (int j = 0; j < Cell::stages; ++j) job.read[j] = read_[j].data();
    if (keep && !g_.factors.empty()) job.factors = g_.factors.data();
    job.zeros = zeros_.data();
    job.keep = keep;
    job.chunk = how_.chunk;
    run_pieces([&](const Piece& piece) { elman::forward<Cell, double, Stored, L, registers>(job, piece); });
    for (const Plan::Idle& idle : plan_.idle)
      for (int k = 0; !idle.zero && k < states; ++k)
        std::copy_n(g_.initial.begin() + (k * B + idle.sequence) * H, H,
                    final_.begin() + (k * B + idle.sequence) * H);
  }

  // Of all inputs.
  Results<double> backward() {
    const std::size_t size = std::size_t(view_.segments) * H;
    Results<double> carry(states, Values<double>(size)), d_read(Cell::stages, Values<double>(size));
    Values<double> d_vectors(g_.vectors.size()), d_initial(g_.initial.size());
    BackwardJob<double> job;
    job.H = H;
    job.t_end = view_.steps;
    job.plan = view_;
    job.program = program_;
    std::vector<Buffer<double>> packed;
    for (int j = 0; j < Cell::stages; ++j) {
      const Feed& feed = Cell::facts.stage(j);
      std::vector<const double*> rows;
      for (int s = 0; s < feed.count(); ++s)
        for (int u = 0; u < H; ++u) rows.push_back(g_.hh.data() + (feed.gate[s] * H + u) * H);
      const int K = static_cast<int>(rows.size());
      packed.emplace_back(std::size_t(groups) * K * L);
      pack_matrix<double, L>(rows.data(), K, H, packed[j].data(), 0, groups);
      job.packed[j] = packed[j].data();
      job.d_read[j] = d_read[j].data();
    }
    for (int k = 0; k < Cell::vectors; ++k) {
      job.vectors[k] = g_.vectors.data() + k * H;
      job.d_vectors[k] = d_vectors.data() + k * H;
    }
    job.y = y_.data();
    job.dy = g_.dy.data();
    job.y_stride = job.dy_stride = H;
    for (int k = 0; k < states; ++k) {
      job.initial[k] = g_.initial.data() + k * B * H;
      job.states[k] = states_[k].data();
      job.dfinal[k] = g_.dfinal.data() + k * B * H;
      job.dinitial[k] = d_initial.data() + k * B * H;
      job.carry[k] = carry[k].data();
    }
    job.slots = slots_.data();
    if (!g_.factors.empty()) job.factors = g_.factors.data();
    job.zeros = zeros_.data();
    // In two chunks, as a long call would.
    for (const int begin : {view_.steps / 2, 0}) {
      job.t_begin = begin;
      run_pieces([&](const Piece& piece) { elman::backward<Cell, double, L, registers>(job, piece); });
      if constexpr (Cell::vectors > 0) {
        for (int u = how_.unit_parts; u-- > 0;)
          vector_gradients<Cell, double, L>(job, groups * u / how_.unit_parts,
                                            groups * (u + 1) / how_.unit_parts);
      }
      job.t_end = begin;
    }
    for (const Plan::Idle& idle : plan_.idle)
      for (int k = 0; !idle.zero && k < states; ++k)
        std::copy_n(g_.dfinal.begin() + (k * B + idle.sequence) * H, H,
                    d_initial.begin() + (k * B + idle.sequence) * H);
    Results<double> all = products();
    all.push_back(d_vectors);
    all.push_back(d_initial);
    return all;
  }

  // The gradients of x, the weights and the biases: products of the slots' gradients with what fed them.
  Results<double> products() const {
    Values<double> dx(g_.x.size()), d_ih(g_.ih.size()), d_hh(g_.hh.size()), d_bias_ih(g_.bias_ih.size()),
        d_bias_hh(d_bias_ih.size());
    for (int t = 0; t < view_.steps; ++t) {
      for (int segment = 0; segment < view_.alive[t]; ++segment) {
        const std::ptrdiff_t entry = view_.offset[t] + segment, row = view_.index[entry];
        const double* h = t ? y_.data() + std::ptrdiff_t{view_.index[view_.offset[t - 1] + segment]} * H
                            : initial_row(view_, g_.initial.data(), zeros_.data(), segment, H);
        for (int u = 0; u < H; ++u) {
          const auto slot = [&](int s) { return slots_[(entry * S + s) * H + u]; };
          for (int s = Cell::x.begin; s < Cell::x.end; ++s) {
            const int m = Cell::x.gate[s - Cell::x.begin] * H + u;
            d_bias_ih[m] += slot(s);
            for (int i = 0; i < I; ++i) {
              dx[row * I + i] += slot(s) * g_.ih[m * I + i];
              d_ih[m * I + i] += slot(s) * g_.x[row * I + i];
            }
          }
          for (int j = 0; j < Cell::stages; ++j) {
            const Feed& feed = Cell::facts.stage(j);
            const double* read = j || !g_.factors.empty() ? read_[j].data() + entry * H : h;
            for (int s = feed.begin; s < feed.end; ++s) {
              const int m = feed.gate[s - feed.begin] * H + u;
              d_bias_hh[m] += slot(s);
              for (int v = 0; v < H; ++v) d_hh[m * H + v] += slot(s) * read[v];
            }
          }
        }
      }
    }
    return {dx, d_ih, d_hh, d_bias_ih, d_bias_hh};
  }

  Values<double> y_, final_, slots_, states_[states], read_[Cell::stages];
};

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

template <class Cell> void test_cell(const Step& step, const void* program = nullptr) {
  const int least = Cell::stages > 1 ? 1 : 0;  // steps ahead
  for (const bool with_factors : {false, true}) {
    for (const Sizes z : {Sizes{6, 5, 3, 5}, {3, 1, 2, 1}, {4, 2, 1, 8}}) {
      const std::string what = std::string("contract ") + Cell::facts.name + " " + std::to_string(z.H) +
                               (with_factors ? " with factors" : "");
      const Given given = make_given(Cell::facts, z, with_factors);
      const Plan plan = make_plan(z);
      const auto run = [&](auto stored, auto lanes, How how, bool keep) {
        using Stored = decltype(stored);
        return Layer<Cell, Stored, decltype(lanes)::value>(given, plan, how, program).run(keep);
      };
      const std::integral_constant<int, 2> two;
      const std::integral_constant<int, 1> one;
      const Results<double> got = run(double{}, two, {1, 1, least}, true);
      expect_within(what + " results", got, 0, plain(given, plan, Cell::states, step), 1e-12);
      expect_within(what + " gradients", got, 2, differences(given, plan, Cell::states, step), 1e-6);
      for (const How how : {How{1, 3, least}, How{3, 1, least}, How{2, 2, 4}})
        expect_same_bits(what + " in pieces", run(double{}, two, how, true), got);
      expect_same_bits(what + " stored as float", run(float{}, two, {1, 1, least}, true), got);
      expect_within(what + " one by one", run(double{}, one, {1, 1, least}, true), 0, got, 1e-12);
      if (with_factors) continue;
      expect_same_bits(what + " without a tape", run(double{}, two, {1, 3, least}, false), {got[0], got[1]});
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
  using Operation = Program::Operation;
  const Program program{
      {{Operation::scale, 0.7}, {Operation::leak, -0.4}, {Operation::tanh, 0}, {Operation::leak, 0.2}}};
  test_cell<Programmed>(
      [](const Given& g, const Sum& sum, const Values<double>& h, States& s) {
        for (int u = 0; u < g.z.H; ++u)
          s[0][u] = std::tanh(0.7 * sum(0, u, h) - 0.4 * s[0][u]) + 0.2 * s[0][u];
      },
      &program);
  test_cell<ResetBefore>([](const Given& g, const Sum& sum, const Values<double>& h, States& s) {
    const int H = g.z.H;
    Values<double> passed(H);
    for (int u = 0; u < H; ++u) passed[u] = logistic(sum(0, u, h)) * s[0][u];
    for (int u = 0; u < H; ++u) {
      const double z = logistic(sum(1, u, h)), n = std::tanh(sum(2, u, passed));
      s[0][u] = (1 - z) * n + z * s[0][u];
    }
  });
}

}  // namespace elman::selftest
