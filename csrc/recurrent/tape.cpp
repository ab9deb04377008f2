#include "recurrent/tape.h"

#include <initializer_list>
#include <new>

namespace elman {
namespace {

constexpr int64_t line = 16;  // numbers: 64 bytes of the smaller type

int64_t checked(bool overflown, int64_t result) {
  if (overflown) throw std::bad_alloc();
  return result;
}

int64_t sum(int64_t a, int64_t b) {
  int64_t result;
  const bool overflown = __builtin_add_overflow(a, b, &result);
  return checked(overflown, result);
}

int64_t product(std::initializer_list<int64_t> factors) {
  int64_t result = 1;
  for (const int64_t factor : factors) {
    const bool overflown = __builtin_mul_overflow(result, factor, &result);
    checked(overflown, result);
  }
  return result;
}

// How many more than the columns a tape keeps of an entry: the states but h, and what the stages read.
int beyond_h(const CellFacts& cell, bool masked) {
  return cell.state_count() - 1 + cell.reads_before(max_stages) + masked;
}

// So many numbers in whole lines.
int64_t lines(int64_t count) { return sum(count, line - 1) / line * line; }

}  // namespace

TapeLayout::TapeLayout(const CellFacts& cell, int H, int L, const std::vector<int64_t>& entries, int64_t rows,
                       bool masked, bool whole)
    : columns_(cell.columns()),
      H_(H),
      entry_statistics_(cell.statistics),
      L_(L),
      states_(cell.state_count()) {
  for (int j = 0; j < max_stages; ++j) reads_[j] = cell.reads_before(j ? j : max_stages);
  const int beyond = whole ? beyond_h(cell, masked) : cell.state_count() - 1;
  for (const int64_t count : entries) {
    const int64_t state = lines(product({count, H})), kept = whole ? count : 0;
    const int64_t states = sum(layer_, lines(product({kept, cell.columns(), H})));
    const int64_t statistics = sum(states, product({state, beyond}));
    directions_.push_back({layer_, states, state, statistics});
    layer_ = sum(statistics, lines(product({kept, cell.statistics})));
  }
  y_ = layer_;
  layer_ = sum(layer_, lines(product({rows, static_cast<int64_t>(entries.size()), H})));
  product({layer_, L, static_cast<int64_t>(sizeof(double))});
}

TapeLayout::Room TapeLayout::room(const CellFacts& cell, int L, int D, bool masked) {
  const int64_t parts = int64_t{L} * D, beyond = beyond_h(cell, masked);
  return {product({parts, cell.columns() + beyond}), parts, product({parts, cell.statistics}),
          product({L, sum(product({D, 2 + beyond}), 1), line})};
}

}  // namespace elman
