#include "layers/linear.h"

#include <algorithm>
#include <vector>

#include "kernels/dispatch.h"
#include "machine/share.h"

namespace elman {
namespace {

// How many rows are taken together: so few that they stay in the L2 cache while all columns pass over them.
constexpr int rows_at_once = 96;

// out [N, width] (+)= in [N, K] times the packed matrix.
template <class T>
void multiply(const ProductKernels<T>& p, ThreadTeam& team, const T* in, int K, const T* packed, T* out,
              int width, int64_t N, bool add) {
  const int threads = threads_for_product(double(N) * K * width, p.lanes, team.size(), team.warm());
  share(team, threads, N, [&](int64_t begin, int64_t end) {
    const T* from[rows_at_once];
    T* to[rows_at_once];
    for (int64_t n = begin; n < end; n += rows_at_once) {
      const int count = static_cast<int>(std::min<int64_t>(rows_at_once, end - n));
      for (int i = 0; i < count; ++i) {
        from[i] = in + (n + i) * K;
        to[i] = out + (n + i) * width;
      }
      p.multiply(from, to, count, K, packed, width, add);
    }
  });
}

}  // namespace

template <class T>
PackedLinear<T>::PackedLinear(const Isa& isa_, int I_, int O_, const T* weight_, const T* bias_)
    : isa(isa_), I(I_), O(O_) {
  const ProductKernels<T>& p = product_kernels<T>(isa);
  const int groups = groups_of<T>(isa, O);
  weight = Buffer<T>(std::size_t(groups) * I * p.lanes);
  bias = zeros<T>(O);
  if (bias_) std::copy(bias_, bias_ + O, bias.data());
  ThreadTeam team(num_threads());
  share(team, threads_for_packing(weight.size(), team.size(), team.warm()), groups,
        [&](int64_t begin, int64_t end) {
          p.pack_transposed(weight_, I, I, O, weight.data(), static_cast<int>(begin), static_cast<int>(end));
        });
}

template <class T> void run_linear(const PackedLinear<T>& packed, const T* x, T* y, int64_t N) {
  const int O = packed.O;
  ThreadTeam team(num_threads());
  for (int64_t n = 0; n < N; ++n) std::copy(packed.bias.data(), packed.bias.data() + O, y + n * O);
  multiply(product_kernels<T>(packed.isa), team, x, packed.I, packed.weight.data(), y, O, N, true);
}

template <class T> void run_linear_backward(const LinearBackward<T>& call) {
  const Isa& isa = current_isa();
  const ProductKernels<T>& p = product_kernels<T>(isa);
  const int64_t N = call.N;
  const int I = call.I, O = call.O;
  if (N == 0) return;
  ThreadTeam team(num_threads());
  if (call.dx) {
    const int groups = groups_of<T>(isa, I);
    const Buffer<T> packed(std::size_t(groups) * O * p.lanes);
    std::vector<const T*> rows(O);
    for (int o = 0; o < O; ++o) rows[o] = call.weight + std::ptrdiff_t{o} * I;
    p.pack(rows.data(), O, I, packed.data(), 0, groups);
    multiply(p, team, call.dy, O, packed.data(), call.dx, I, N, false);
  }
  if (!call.d_weight) return;
  std::vector<const T*> x_rows(N);
  for (int64_t n = 0; n < N; ++n) x_rows[n] = call.x + n * I;
  std::vector<T*> d_rows(O);
  for (int o = 0; o < O; ++o) d_rows[o] = call.d_weight + std::ptrdiff_t{o} * I;
  const Buffer<T> unwanted = zeros<T>(call.d_bias ? 0 : O);
  OuterJob<T> job;
  job.rows = static_cast<int>(N);
  job.M = O;
  job.a = call.dy;
  job.a_stride = O;
  job.side[0] = {0, O, I, x_rows.data(), d_rows.data()};
  job.bias = call.d_bias ? call.d_bias : unwanted.data();
  const int threads = threads_for_product(double(N) * I * O, p.lanes, team.size(), team.warm());
  std::vector<Buffer<T>> scratch;
  for (int i = 0; i < threads; ++i) scratch.emplace_back(p.outer_scratch(N, O, I));
  team.run(threads, [&](int i) { p.outer(job, i, threads, scratch[i].data()); });
}

template struct PackedLinear<float>;
template struct PackedLinear<double>;
template void run_linear(const PackedLinear<float>&, const float*, float*, int64_t);
template void run_linear(const PackedLinear<double>&, const double*, double*, int64_t);
template void run_linear_backward(const LinearBackward<float>&);
template void run_linear_backward(const LinearBackward<double>&);

}  // namespace elman
