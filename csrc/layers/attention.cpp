#include "layers/attention.h"

#include <algorithm>

#include "kernels/dispatch.h"
#include "machine/share.h"

namespace elman {
namespace {

// How many queries are taken together: as many as one visit of outer.h takes, and so few that their weights
// stay in the L2 cache.
constexpr int queries_at_once = 128;

// A time-major array [T, B, width].
template <class T> struct Steps {
  T* data;
  int B, width;
  std::ptrdiff_t stride() const { return std::ptrdiff_t{B} * width; }
  T* row(int t, int b) const { return data + t * stride() + std::ptrdiff_t{b} * width; }
  void clear(int begin, int end, int b) const {
    for (int t = begin; t < end; ++t) std::fill(row(t, b), row(t, b) + width, T(0));
  }
};

// f(thread, sequence) for all sequences. Threads take them in turns, because they may be sorted by length.
template <class F> void deal(ThreadTeam& team, int threads, int B, const F& f) {
  team.run(threads, [&](int i) {
    for (int b = i; b < B; b += threads) f(i, b);
  });
}

int at_most(int threads, int B) { return std::max(1, std::min(threads, B)); }

// The queries of sequence b that have something to look at.
template <class T> int count_queries(const PackedMemory<T>& memory, const Queries<T>& queries, int b) {
  if (memory.sequences[b].keys == 0) return 0;
  return queries.lengths ? static_cast<int>(queries.lengths[b]) : queries.steps;
}

// The threads that `count` products of every query with every key are worth.
template <class T>
int threads_for(const PackedMemory<T>& memory, const Queries<T>& queries, int count, ThreadTeam& team) {
  double pairs = 0;
  for (int b = 0; b < memory.B; ++b)
    pairs += double(count_queries(memory, queries, b)) * memory.sequences[b].keys;
  const int lanes = product_kernels<T>(memory.isa).lanes;
  return at_most(threads_for_product(count * pairs * memory.H, lanes, team.size(), team.warm()), memory.B);
}

template <class T> std::vector<Buffer<T>> scratch_for(int threads, std::size_t size) {
  std::vector<Buffer<T>> scratch;
  for (int i = 0; i < threads; ++i) scratch.emplace_back(size);
  return scratch;
}

}  // namespace

template <class T>
PackedMemory<T>::PackedMemory(const Isa& isa_, int steps_, int B_, int H_, T scale_, const T* memory,
                              const int64_t* lengths)
    : isa(isa_), steps(steps_), B(B_), H(H_), scale(scale_), sequences(B_) {
  const ProductKernels<T>& p = product_kernels<T>(isa);
  const Steps<const T> from{memory, B, H};
  const int groups = groups_of<T>(isa, H);
  const auto transposed_size = [&](int keys) { return std::size_t(groups_of<T>(isa, keys)) * H * p.lanes; };
  const auto straight_size = [&](int keys) { return std::size_t(keys) * groups * p.lanes; };
  std::size_t size = 0;
  for (int b = 0; b < B; ++b) {
    const int keys = lengths ? static_cast<int>(lengths[b]) : steps;
    sequences[b].keys = keys;
    sequences[b].first = total;
    size += transposed_size(keys) + straight_size(keys);
    longest = std::max(longest, keys);
    total += keys;
  }
  data_ = Buffer<T>(size);
  std::vector<const T*> rows(total);
  T* to = data_.data();
  for (int b = 0; b < B; ++b) {
    Sequence& sequence = sequences[b];
    sequence.transposed = to;
    sequence.straight = to + transposed_size(sequence.keys);
    to = sequence.straight + straight_size(sequence.keys);
    for (int t = 0; t < sequence.keys; ++t) rows[sequence.first + t] = from.row(t, b);
  }
  ThreadTeam team(num_threads());
  const int threads = at_most(threads_for_packing(double(size), team.size(), team.warm()), B);
  deal(team, threads, B, [&](int, int b) {
    const Sequence& sequence = sequences[b];
    const int keys = sequence.keys;
    p.pack_transposed(from.row(0, b), from.stride(), H, keys, sequence.transposed, 0,
                      groups_of<T>(isa, keys));
    p.pack(rows.data() + sequence.first, keys, H, sequence.straight, 0, groups);
  });
}

template <class T>
void run_attention(const PackedMemory<T>& memory, const Queries<T>& queries, T* weights, T* context) {
  const ProductKernels<T>& p = product_kernels<T>(memory.isa);
  const SoftmaxKernels<T>& functions = softmax_kernels<T>(memory.isa);
  const int B = memory.B, H = memory.H;
  const Steps<const T> query{queries.data, B, H};
  const Steps<T> kept{weights, B, weights ? memory.steps : 0}, result{context, B, H};
  ThreadTeam team(num_threads());
  const int threads = threads_for(memory, queries, 2, team);
  const auto scratch = scratch_for<T>(threads, weights ? 0 : std::size_t(queries_at_once) * memory.longest);
  deal(team, threads, B, [&](int thread, int b) {
    const auto& sequence = memory.sequences[b];
    const int keys = sequence.keys, end = count_queries(memory, queries, b);
    const T* from[queries_at_once];
    T *w[queries_at_once], *to[queries_at_once];
    for (int first = 0; first < end; first += queries_at_once) {
      const int count = std::min(queries_at_once, end - first);
      for (int i = 0; i < count; ++i) {
        from[i] = query.row(first + i, b);
        w[i] = weights ? kept.row(first + i, b) : scratch[thread].data() + std::ptrdiff_t{i} * keys;
        to[i] = result.row(first + i, b);
      }
      p.multiply(from, w, count, H, sequence.transposed, keys, false);
      for (int i = 0; i < count; ++i) {
        for (int k = 0; k < keys; ++k) w[i][k] *= memory.scale;
        functions.softmax(w[i], keys, T(1), T(0), w[i]);
        if (weights) std::fill(w[i] + keys, w[i] + memory.steps, T(0));
      }
      p.multiply(w, to, count, keys, sequence.straight, H, false);
    }
    if (weights) kept.clear(end, queries.steps, b);
    result.clear(end, queries.steps, b);
  });
}

template <class T>
void run_attention_backward(const PackedMemory<T>& memory, const Queries<T>& queries,
                            const AttentionBackward<T>& call) {
  const ProductKernels<T>& p = product_kernels<T>(memory.isa);
  const SoftmaxKernels<T>& functions = softmax_kernels<T>(memory.isa);
  const int B = memory.B, H = memory.H;
  const Steps<const T> query{queries.data, B, H}, weights{call.weights, B, memory.steps},
      d_context{call.d_context, B, H};
  const Steps<T> d_query{call.d_query, B, H}, d_memory{call.d_memory, B, H};
  std::vector<T*> d_rows(memory.total);
  for (int b = 0; b < B; ++b)
    for (int t = 0; t < memory.sequences[b].keys; ++t)
      d_rows[memory.sequences[b].first + t] = d_memory.row(t, b);
  ThreadTeam team(num_threads());
  const int threads = threads_for(memory, queries, 4, team);
  // Gradients of the scores, sums of columns (which nobody reads), and what the outer products need.
  const std::size_t scores = std::size_t(queries_at_once) * memory.longest, sums = memory.longest;
  const auto scratch =
      scratch_for<T>(threads, scores + sums + p.outer_scratch(queries_at_once, memory.longest, H));
  deal(team, threads, B, [&](int thread, int b) {
    const auto& sequence = memory.sequences[b];
    const int keys = sequence.keys, end = count_queries(memory, queries, b);
    T* const d_scores = scratch[thread].data();
    T* const column_sums = d_scores + scores;
    std::fill(column_sums, column_sums + keys, T(0));
    d_memory.clear(0, memory.steps, b);
    const T *from[queries_at_once], *q[queries_at_once];
    T *ds[queries_at_once], *to[queries_at_once];
    for (int first = 0; first < end; first += queries_at_once) {
      const int count = std::min(queries_at_once, end - first);
      for (int i = 0; i < count; ++i) {
        from[i] = d_context.row(first + i, b);
        q[i] = query.row(first + i, b);
        ds[i] = d_scores + std::ptrdiff_t{i} * keys;
        to[i] = d_query.row(first + i, b);
      }
      p.multiply(from, ds, count, H, sequence.transposed, keys, false);
      for (int i = 0; i < count; ++i)
        functions.softmax_backward(weights.row(first + i, b), ds[i], keys, memory.scale, ds[i]);
      p.multiply(ds, to, count, keys, sequence.straight, H, false);
      const auto add_products = [&](const T* a, std::ptrdiff_t a_stride, const T* const* rows) {
        OuterJob<T> job;
        job.rows = count;
        job.M = keys;
        job.a = a;
        job.a_stride = a_stride;
        job.side[0] = {0, keys, H, rows, d_rows.data() + sequence.first};
        job.bias = column_sums;
        p.outer(job, 0, 1, column_sums + sums);
      };
      add_products(weights.row(first, b), weights.stride(), from);
      add_products(d_scores, keys, q);
    }
    d_query.clear(end, queries.steps, b);
  });
}

template struct PackedMemory<float>;
template struct PackedMemory<double>;
template void run_attention(const PackedMemory<float>&, const Queries<float>&, float*, float*);
template void run_attention(const PackedMemory<double>&, const Queries<double>&, double*, double*);
template void run_attention_backward(const PackedMemory<float>&, const Queries<float>&,
                                     const AttentionBackward<float>&);
template void run_attention_backward(const PackedMemory<double>&, const Queries<double>&,
                                     const AttentionBackward<double>&);

}  // namespace elman
