// A linear layer against loops in double.
#include "layers/linear.h"

#include "selftest.h"

namespace elman::selftest {
namespace {

struct Sizes {
  int N, I, O;
};

template <class T> struct Layer {
  const Sizes z;
  Values<T> x, weight, bias, dy, d_weight, d_bias;  // the gradients as they are before they are added to
  explicit Layer(Sizes sizes) : z(sizes) {
    Random random(4);
    x = random.normals<T>(z.N * z.I);
    weight = random.normals<T>(z.O * z.I);
    bias = random.normals<T>(z.O);
    dy = random.normals<T>(z.N * z.O);
    d_weight = random.normals<T>(z.O * z.I);
    d_bias = random.normals<T>(z.O);
  }

  Results<T> run(const Isa& isa, bool with_bias, bool with_dx) {
    Values<T> y(z.N * z.O, not_a_number<T>), dx(with_dx ? x.size() : 0, not_a_number<T>);
    const PackedLinear<T> packed(isa, z.I, z.O, weight.data(), data_if(with_bias, bias));
    run_linear(packed, x.data(), y.data(), z.N);
    Values<T> to_weight = d_weight, to_bias = d_bias;
    LinearBackward<T> call;
    call.N = z.N;
    call.I = z.I;
    call.O = z.O;
    call.weight = weight.data();
    call.x = x.data();
    call.dy = dy.data();
    call.dx = data_if(with_dx, dx);
    call.d_weight = to_weight.data();
    call.d_bias = data_if(with_bias, to_bias);
    run_linear_backward(call);
    return {y, dx, to_weight, to_bias};
  }

  Results<double> expected(bool with_bias, bool with_dx) const {
    Values<double> y(z.N * z.O), dx(x.size());
    Values<double> to_weight = widened(d_weight), to_bias = widened(d_bias);
    for (int n = 0; n < z.N; ++n) {
      for (int o = 0; o < z.O; ++o) {
        const double d = dy[n * z.O + o];
        double sum = with_bias ? bias[o] : 0;
        for (int i = 0; i < z.I; ++i) {
          sum += double(x[n * z.I + i]) * weight[o * z.I + i];
          dx[n * z.I + i] += d * weight[o * z.I + i];
          to_weight[o * z.I + i] += d * x[n * z.I + i];
        }
        y[n * z.O + o] = sum;
        if (with_bias) to_bias[o] += d;
      }
    }
    if (!with_dx) dx.clear();
    return {y, dx, to_weight, to_bias};
  }
};

template <class T> void compare(const Isa& isa) {
  // More rows than one visit of the outer products takes, more inputs than one run of a sum, more outputs
  // than one tile.
  for (const Sizes z :
       {Sizes{1, 1, 1}, {0, 3, 2}, {7, 3, 9}, {9, 33, 18}, {131, 5, 3}, {2, 131, 7}, {3, 2, 70}})
    for (const bool with_bias : {false, true})
      for (const bool with_dx : {false, true}) {
        Layer<T> layer(z);
        const std::string what = label<T>(isa, "linear", {z.N, z.I, z.O, with_bias, with_dx});
        expect_close<T>(what, with_threads(what, [&] { return layer.run(isa, with_bias, with_dx); }),
                        layer.expected(with_bias, with_dx));
      }
}

}  // namespace

void test_linear(const Isa& isa) {
  compare<float>(isa);
  compare<double>(isa);
  // So many rows that sleeping workers are woken.
  Layer<double> large({1001 * product_kernels<double>(isa).lanes, 41, 39});
  with_threads(label<double>(isa, "large linear", {}), [&] { return large.run(isa, true, true); });
}

}  // namespace elman::selftest
