// Random arrays for a stack of two layers in two directions, and the results of a pass over it.
#pragma once

#include <memory>

#include "recurrent/pass.h"
#include "recurrent/stepper.h"
#include "selftest.h"

namespace elman::selftest {
namespace {

struct Sizes {
  int T, B, I, H;
};
constexpr int L = 2, D = 2, parts = L * D;

template <class T> Values<T> factors(Random& random, std::size_t count) {
  auto values = random.normals<T>(count);
  for (T& value : values) value = value < 0 ? 0 : 2;
  return values;
}

// The arrays of a pass over one stack.
template <class T> class Case {
 public:
  Case(const Isa& isa, const CellRef& cell, Sizes z, bool masked) : z_(z), stack_{isa, cell, z.I, z.H, L, D} {
    Random random(1);
    const std::size_t rows = std::size_t(z.T) * z.B, state = std::size_t(parts) * z.B * z.H;
    const int gates = stack_.facts().x_gates() * z.H;
    x_ = random.normals<T>(rows * z.I);
    dy_ = random.normals<T>(rows * stack_.width());
    for (int part = 0; part < parts; ++part) {
      const int I = stack_.inputs(part / D);
      ih_[part] = random.normals<T>(std::size_t(gates) * I, 0.3);
      hh_[part] = random.normals<T>(std::size_t(gates) * z.H, 0.3);
      bias_[part] = random.normals<T>(gates);
      weights_.push_back(
          {I, z.H, ih_[part].data(), hh_[part].data(), bias_[part].data(), bias_[part].data()});
    }
    initial_ = random.normals<T>(state);
    dropout_ = factors<T>(random, rows * stack_.width());
    if (masked) factors_ = factors<T>(random, state);
    const auto lengths = random.lengths(z.B, z.T, z.T);
    std::vector<uint8_t> reset(rows);
    for (auto& mark : reset) mark = random.below(5) == 0;
    plans_.reserve(D);
    for (int d = 0; d < D; ++d) {
      Plan::Options options;
      options.T = z.T;
      options.B = z.B;
      options.reverse = d == 1;
      options.lengths = lengths.data();
      options.reset = reset.data();
      plans_.emplace_back(options);
    }
  }

  Case(const Case&) = delete;  // weights_ points into it

  Results<T> run(const std::string& what, ForcedSchedule wanted) const {
    const PackedStack<T> packed(stack_, weights_);
    const PackedBackStack<T> packed_back(stack_, weights_);
    const TapeLayout layout(stack_.facts(), z_.H, L, {plans_[0].total(), plans_[1].total()}, plans_[0].rows,
                            !factors_.empty());
    const Buffer<T> memory(layout.size());
    const int states = stack_.facts().state_count();
    const std::size_t size = initial_.size();
    Values<T> y(dy_.size()), again(y.size()), dx(x_.size());
    Values<T> final(states * size), dinitial(final.size(), not_a_number<T>);  // written
    Values<T> d_ih[parts], d_hh[parts], d_bias_ih[parts], d_bias_hh[parts];   // added to

    ForwardCall<T> forward;
    forward.packed = &packed;
    forward.plans = {&plans_[0], &plans_[1]};
    forward.wanted = wanted;
    forward.x = x_.data();
    forward.y = y.data();
    forward.dropout = {dropout_.data()};
    forward.tape.layout = &layout;
    forward.tape.memory = memory.data();
    if (!factors_.empty()) forward.tape.factors = factors_.data();
    BackwardCall<T> backward;
    backward.packed = &packed_back;
    backward.plans = forward.plans;
    backward.wanted = wanted;
    backward.tape = forward.tape;
    backward.x = x_.data();
    backward.dy = dy_.data();
    backward.dx = dx.data();
    backward.dropout = forward.dropout;
    for (int k = 0; k < states; ++k) {
      forward.initial[k] = backward.initial[k] = backward.dfinal[k] = initial_.data();
      forward.final[k] = final.data() + k * size;
      backward.dinitial[k] = dinitial.data() + k * size;
    }
    Results<T> results;
    for (int part = 0; part < parts; ++part) {
      d_ih[part].resize(ih_[part].size());
      d_hh[part].resize(hh_[part].size());
      d_bias_ih[part].resize(bias_[part].size());
      d_bias_hh[part].resize(bias_[part].size());
      backward.grads.push_back(
          {d_ih[part].data(), d_hh[part].data(), d_bias_ih[part].data(), d_bias_hh[part].data()});
    }
    run_forward(forward);
    run_backward(backward);
    if (factors_.empty()) {
      forward.tape = {};
      forward.y = again.data();
      run_forward(forward);
      expect_same_bits<T>(what + ", without a tape", {again}, {y});
    }
    results = {y, dx, final, dinitial};
    for (int part = 0; part < parts; ++part)
      for (const auto* grads : {d_ih, d_hh, d_bias_ih, d_bias_hh}) results.push_back(grads[part]);
    return results;
  }

  // y of the first layer alone, forward and step by step.
  Results<T> steps() const {
    const Stack first{stack_.isa, stack_.cell, z_.I, z_.H, 1, 1};
    const auto packed = std::make_shared<PackedStack<T>>(first, std::vector<Weights<T>>{weights_.front()});
    Stepper<T> stepper(packed, z_.B, ForcedSchedule::units);
    Values<T> y(std::size_t(z_.T) * z_.B * z_.H);
    for (std::size_t t = 0; t < std::size_t(z_.T); ++t)
      stepper.step(x_.data() + t * z_.B * z_.I, y.data() + t * z_.B * z_.H);
    return {y};
  }

 private:
  const Sizes z_;
  const Stack stack_;
  Values<T> x_, dy_, ih_[parts], hh_[parts], bias_[parts], initial_, dropout_, factors_;
  std::vector<Weights<T>> weights_;
  std::vector<Plan> plans_;
};

}  // namespace
}  // namespace elman::selftest
