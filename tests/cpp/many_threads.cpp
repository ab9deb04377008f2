// Many more threads than processors: they meet, all of them, and share the gradients of weights bit for bit.
#include <algorithm>
#include <array>
#include <atomic>

#include "selftest.h"

namespace elman::selftest {
namespace {

// Before a barrier each thread writes its own number, behind it each reads all.
void meet(int threads, int rounds) {
  set_num_threads(threads);
  ThreadTeam team(num_threads());
  Barrier barrier(team.size());
  std::vector<int> seen(team.size(), 0);
  std::atomic<int> wrong{0}, came{0};
  for (int call = 0; call < 3; ++call) {
    team.run(team.size(), [&](int i) {
      ++came;
      for (int round = 1; round <= rounds; ++round) {
        seen[i] = round;
        barrier.wait(i);
        for (const int one : seen) wrong += one != round;
        barrier.wait(i);
      }
    });
  }
  if (team.size() != threads || wrong || came != 3 * threads)
    fail("meetings of " + std::to_string(threads) + " threads: some came too early or not at all");
}

// A side of each kind: fed by all columns, by the first, by the last.
// `fresh`: onto zeros, whatever is there.
template <class T> Results<T> gradients(const Isa& isa, int rows, int M, int N, int parts, bool fresh) {
  const ProductKernels<T>& p = product_kernels<T>(isa);
  Random random(7);
  const Values<T> a = random.normals<T>(std::size_t(rows) * M);
  OuterJob<T> job;
  job.rows = rows;
  job.M = job.a_stride = M;
  job.a = a.data();
  job.fresh = fresh;
  Values<T> bias = random.normals<T>(M);
  job.bias = bias.data();
  const int third = M / 3, begins[] = {0, third, 0}, ends[] = {2 * third, M, M}, widths[] = {N, 2 * N + 1, 5};
  constexpr int sides = OuterJob<T>::sides < 3 ? OuterJob<T>::sides : 3;
  Values<T> b[sides];
  Results<T> c(sides);
  std::vector<const T*> b_rows[sides];
  std::vector<T*> c_rows[sides];
  int all = 0;
  for (int i = 0; i < sides; ++i) {
    const int width = widths[i];
    all += width;
    b[i] = random.normals<T>(std::size_t(rows) * width);
    c[i] = random.normals<T>(std::size_t(ends[i] - begins[i]) * width);
    if (fresh && parts > 1) std::fill(c[i].begin(), c[i].end(), not_a_number<T>);
    else if (fresh) std::fill(c[i].begin(), c[i].end(), T{0});
    for (int n = 0; n < rows; ++n) b_rows[i].push_back(b[i].data() + std::ptrdiff_t{n} * width);
    for (int m = begins[i]; m < ends[i]; ++m)
      c_rows[i].push_back(c[i].data() + std::ptrdiff_t{m - begins[i]} * width);
    job.side[i] = {begins[i], ends[i], width, b_rows[i].data(), c_rows[i].data()};
  }
  for (int part = 0; part < parts; ++part) {
    Values<T> scratch(p.outer_scratch(rows, M, all), not_a_number<T>);
    p.outer(job, part, parts, scratch.data());
  }
  c.push_back(bias);
  return c;
}

template <class T> void share_gradients(const Isa& isa) {
  for (const auto& [rows, M, N] : {std::array{300, 96, 150}, {7, 50, 64}, {130, 700, 33}})
    for (const bool fresh : {false, true}) {
      const Results<T> alone = gradients<T>(isa, rows, M, N, 1, fresh);
      for (const int parts : {2, 3, 5, 8, 64, 200})
        expect_same_bits(label<T>(isa, "gradients in parts", {rows, M, N, parts, fresh}),
                         gradients<T>(isa, rows, M, N, parts, fresh), alone);
    }
}

}  // namespace

void test_meetings() {
  for (const int threads : {2, 3, 8, 9, 65}) meet(threads, threads > 9 ? 5 : 50);
}

void test_gradient_parts(const Isa& isa) {
  share_gradients<float>(isa);
  share_gradients<double>(isa);
}

}  // namespace elman::selftest
