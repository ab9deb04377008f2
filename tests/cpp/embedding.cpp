// The gradient of an embedding's table against a loop in double.
#include "layers/embedding.h"

#include "selftest.h"

namespace elman::selftest {
namespace {

struct Sizes {
  int N, V, E;
};

template <class T> struct Gradient {
  const Sizes z;
  Values<T> table, rows;
  std::vector<int64_t> index;
  explicit Gradient(Sizes sizes) : z(sizes), index(z.N) {
    Random random(5);
    table = random.normals<T>(z.V * z.E);
    rows = random.normals<T>(z.N * z.E);
    for (int64_t& i : index) i = random.below(z.V);
  }

  Results<T> run() const {
    Values<T> to = table;
    run_add_rows(to.data(), index.data(), rows.data(), z.N, z.E);
    return {to};
  }

  Results<double> expected() const {
    Values<double> to = widened(table);
    for (int n = 0; n < z.N; ++n)
      for (int e = 0; e < z.E; ++e) to[index[n] * z.E + e] += rows[n * z.E + e];
    return {to};
  }
};

template <class T> void compare(const Isa& isa) {
  // The last is so large that sleeping workers are woken.
  for (const Sizes z : {Sizes{1, 1, 1}, {0, 2, 3}, {18, 7, 3}, {33, 3, 9}, {14001, 18, 33}}) {
    const Gradient<T> gradient(z);
    const std::string what = label<T>(isa, "embedding", {z.N, z.V, z.E});
    expect_close<T>(what, with_threads(what, [&] { return gradient.run(); }), gradient.expected());
  }
}

}  // namespace

void test_embedding(const Isa& isa) {
  compare<float>(isa);
  compare<double>(isa);
}

}  // namespace elman::selftest
