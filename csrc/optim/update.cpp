#include "optim/update.h"

#include <algorithm>

#include "kernels/dispatch.h"
#include "machine/share.h"

namespace elman {
namespace {

// Threads take whole slices of this many elements. Each slice has its own sum.
constexpr int64_t slice_length = 4096;

template <class T> std::vector<Slice<T>> cut(const std::vector<Slice<T>>& arrays) {
  std::vector<Slice<T>> slices;
  for (Slice<T> rest : arrays) {
    while (rest.count > 0) {
      slices.push_back(rest);
      const int64_t length = slices.back().count = std::min(slice_length, rest.count);
      rest.count -= length;
      rest.grad += length;
      if (rest.value) rest.value += length;
      for (T*& state : rest.state)
        if (state) state += length;
    }
  }
  return slices;
}

// f(i) for every slice, on as many threads as it is worth. `accesses`: how often each element is read or
// written in memory.
template <class T, class F> void for_each(const std::vector<Slice<T>>& slices, int accesses, const F& f) {
  double bytes = 0;
  for (const Slice<T>& slice : slices) bytes += double(slice.count) * accesses * sizeof(T);
  ThreadTeam team(num_threads());
  const int threads = threads_for_streaming(bytes, team.size(), team.warm());
  share(team, threads, static_cast<int64_t>(slices.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i);
  });
}

template <class T> auto kernel(const UpdateKernels<T>& all, const Sgd<T>&) { return all.sgd; }
template <class T> auto kernel(const UpdateKernels<T>& all, const RmsProp<T>&) { return all.rmsprop; }
template <class T> auto kernel(const UpdateKernels<T>& all, const Adam<T>&) { return all.adam; }

}  // namespace

template <class Rule, class T> void run_update(const Rule& rule, const std::vector<Slice<T>>& arrays) {
  const auto update = kernel(update_kernels<T>(current_isa()), rule);
  const std::vector<Slice<T>> slices = cut(arrays);
  for_each(slices, 3 + 2 * Rule::most_states, [&](int64_t i) { update(rule, slices[i]); });
}

template <class T> void run_add(const std::vector<Slice<T>>& arrays) {
  const auto add = update_kernels<T>(current_isa()).add;
  const std::vector<Slice<T>> slices = cut(arrays);
  for_each(slices, 3, [&](int64_t i) { add(slices[i]); });
}

template <class T> double run_sum_of_squares(const std::vector<Slice<T>>& arrays) {
  const auto sum_of_squares = update_kernels<T>(current_isa()).sum_of_squares;
  const std::vector<Slice<T>> slices = cut(arrays);
  std::vector<double> sums(slices.size());
  for_each(slices, 1,
           [&](int64_t i) { sums[i] = sum_of_squares(slices[i].grad, static_cast<int>(slices[i].count)); });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

template void run_update(const Sgd<float>&, const std::vector<Slice<float>>&);
template void run_update(const Sgd<double>&, const std::vector<Slice<double>>&);
template void run_update(const RmsProp<float>&, const std::vector<Slice<float>>&);
template void run_update(const RmsProp<double>&, const std::vector<Slice<double>>&);
template void run_update(const Adam<float>&, const std::vector<Slice<float>>&);
template void run_update(const Adam<double>&, const std::vector<Slice<double>>&);
template void run_add(const std::vector<Slice<float>>&);
template void run_add(const std::vector<Slice<double>>&);
template double run_sum_of_squares(const std::vector<Slice<float>>&);
template double run_sum_of_squares(const std::vector<Slice<double>>&);

}  // namespace elman
