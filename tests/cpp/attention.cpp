// Attention, ragged, against loops in double.
#include "layers/attention.h"

#include "selftest.h"

namespace elman::selftest {
namespace {

struct Sizes {
  int queries, keys, B, H;
};

template <class T> struct Batch {
  const Sizes z;
  const bool ragged;
  const T scale = T(0.4);
  Values<T> memory, query, d_context;
  std::vector<int64_t> key_lengths, query_lengths;

  // Where ragged, one sequence has no keys, one no queries; what lies beyond the lengths is not to be read.
  Batch(Sizes sizes, bool is_ragged) : z(sizes), ragged(is_ragged) {
    Random random(7);
    memory = random.normals<T>(z.keys * z.B * z.H);
    query = random.normals<T>(z.queries * z.B * z.H);
    d_context = random.normals<T>(query.size());
    key_lengths.assign(z.B, z.keys);
    query_lengths.assign(z.B, z.queries);
    if (!ragged) return;
    key_lengths = random.lengths(z.B, z.keys, 0);
    query_lengths = random.lengths(z.B, z.queries, z.queries);
    key_lengths[z.B - 1] = z.keys;
    query_lengths[z.B / 2] = 0;
    forget(memory, key_lengths);
    forget(query, query_lengths);
    forget(d_context, query_lengths);
  }

  // Context, its weights, and the gradients of the queries and of the memory.
  Results<T> run(const Isa& isa) {
    const PackedMemory<T> packed(isa, z.keys, z.B, z.H, scale, memory.data(), data_if(ragged, key_lengths));
    const Queries<T> queries{z.queries, query.data(), data_if(ragged, query_lengths)};
    Values<T> context(query.size(), not_a_number<T>), without = context, d_query = context;
    Values<T> weights(z.queries * z.B * z.keys, not_a_number<T>), d_memory(memory.size(), not_a_number<T>);
    run_attention(packed, queries, weights.data(), context.data());
    run_attention<T>(packed, queries, nullptr, without.data());
    expect_same_bits<T>("attention without its weights", {without}, {context});
    run_attention_backward(packed, queries,
                           {weights.data(), d_context.data(), d_query.data(), d_memory.data()});
    return {context, weights, d_query, d_memory};
  }

  Results<double> expected() const {
    Values<double> context(query.size()), weights(z.queries * z.B * z.keys);
    Values<double> d_query(query.size()), d_memory(memory.size());
    for (int b = 0; b < z.B; ++b) {
      const int keys = static_cast<int>(key_lengths[b]);
      for (int n = 0; keys && n < query_lengths[b]; ++n) {
        double* w = &weights[(n * z.B + b) * z.keys];
        const auto dot = [&](const Values<T>& row, int k) {
          double sum = 0;
          for (int h = 0; h < z.H; ++h) sum += double(row[at(n, b, h)]) * memory[at(k, b, h)];
          return sum;
        };
        double total = 0, mean = 0;
        for (int k = 0; k < keys; ++k) total += w[k] = std::exp(scale * dot(query, k));
        for (int k = 0; k < keys; ++k) w[k] /= total;
        for (int k = 0; k < keys; ++k) mean += w[k] * dot(d_context, k);
        for (int k = 0; k < keys; ++k) {
          const double d_score = scale * w[k] * (dot(d_context, k) - mean);
          for (int h = 0; h < z.H; ++h) {
            context[at(n, b, h)] += w[k] * memory[at(k, b, h)];
            d_query[at(n, b, h)] += d_score * memory[at(k, b, h)];
            d_memory[at(k, b, h)] += w[k] * d_context[at(n, b, h)] + d_score * query[at(n, b, h)];
          }
        }
      }
    }
    return {context, weights, d_query, d_memory};
  }

 private:
  int at(int t, int b, int h) const { return (t * z.B + b) * z.H + h; }

  void forget(Values<T>& values, const std::vector<int64_t>& lengths) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const int row = static_cast<int>(i) / z.H;
      if (row / z.B >= lengths[row % z.B]) values[i] = not_a_number<T>;
    }
  }
};

template <class T> void compare(const Isa& isa) {
  // More queries than are taken at a time, more keys than one run of a sum.
  for (const Sizes z : {Sizes{1, 1, 1, 1}, {7, 9, 3, 18}, {3, 33, 4, 7}, {131, 3, 3, 5}, {2, 131, 3, 3}})
    for (const bool ragged : {false, true}) {
      Batch<T> batch(z, ragged);
      const std::string what = label<T>(isa, "attention", {z.queries, z.keys, z.B, z.H, ragged});
      expect_close<T>(what, with_threads(what, [&] { return batch.run(isa); }), batch.expected());
    }
}

}  // namespace

void test_attention(const Isa& isa) {
  compare<float>(isa);
  compare<double>(isa);
  // So many queries that sleeping workers are woken.
  Batch<double> large({401 * product_kernels<double>(isa).lanes, 21, 21, 33}, true);
  with_threads(label<double>(isa, "large attention", {}), [&] { return large.run(isa); });
}

}  // namespace elman::selftest
