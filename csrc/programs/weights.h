// The weights of a cell with a program. Its slots are of kinds, by what feeds them: x, both, h, and then what
// each later stage reads.
// All slots of a kind and all groups of units make one sequence of columns, [group][slot], and a tile takes
// any neighbours of it, so no number of slots wastes a part of a tile. In memory:
//   [groups][slots + vectors][L]                       biases and vectors
//   for each kind fed by x: [groups][its slots][I][L]
//   for each kind fed by h or a stage: [groups][its slots][H][L], or of several heads as kernels/heads.h says
#pragma once

#include "kernels/heads.h"
#include "recurrent/pack.h"
#include "simd/extent.h"

namespace elman {
namespace {

struct Kind {
  int begin, end;  // slots
  bool x, h;       // h: also what a later stage reads
  int stage;
  int count() const { return end - begin; }
};

class Kinds {
 public:
  static constexpr int most = 3 + max_stages - 1;

  explicit Kinds(const CellFacts& cell)
      : of_{{0, cell.h.begin, true, false, 0},
            {cell.h.begin, cell.x.end, true, true, 0},
            {cell.x.end, cell.h.end, false, true, 0}},
        count_(2 + cell.stage_count()) {
    for (int j = 1; j < cell.stage_count(); ++j)
      of_[2 + j] = {cell.stage(j).begin, cell.stage(j).end, false, true, j};
  }
  const Kind* begin() const { return of_; }
  const Kind* end() const { return of_ + count_; }

 private:
  Kind of_[most];
  int count_;
};

template <class T, int L> class ProgramLayout {
 public:
  ProgramLayout(const CellFacts& cell, int I, int H, int heads)
      : firsts_(cell.slots + cell.vector_count()),
        I_(I),
        groups_((H + L - 1) / L),
        kinds_(cell),
        heads_{H, H / heads, L} {
    std::ptrdiff_t at = std::ptrdiff_t{groups_} * firsts_ * L;
    int i = 0;
    for (const Kind& kind : kinds_) {
      x_[i] = at;
      if (kind.x) at += columns(kind) * I * L;
      h_[i++] = at;
      if (kind.h) at += columns(kind) * heads_.apart();
    }
    size_ = at;
  }

  std::ptrdiff_t size() const { return size_; }  // numbers
  const Kinds& kinds() const { return kinds_; }
  const Heads& heads() const { return heads_; }
  // Where the i-th bias or vector of a group lies, and from where on those of the group below.
  std::ptrdiff_t first(int group, int i) const { return (std::ptrdiff_t{group} * firsts_ + i) * L; }
  std::ptrdiff_t firsts() const { return std::ptrdiff_t{firsts_} * L; }
  // Where the weights of a column lie.
  std::ptrdiff_t x(int kind, std::ptrdiff_t column) const { return x_[kind] + column * I_ * L; }
  std::ptrdiff_t h(int kind, std::ptrdiff_t column) const { return h_[kind] + column * heads_.apart(); }

 private:
  std::ptrdiff_t columns(const Kind& kind) const { return std::ptrdiff_t{groups_} * kind.count(); }

  int firsts_, I_, groups_;
  Kinds kinds_;
  Heads heads_;
  std::ptrdiff_t x_[Kinds::most], h_[Kinds::most], size_;
};

template <class T, int L> std::size_t program_bytes(const LinkedCell<T>* cell, int I, int H, int heads) {
  return std::size_t(ProgramLayout<T, L>(cell->facts, I, H, heads).size()) * sizeof(T);
}

// The biases and vectors of a group.
template <class T, int L> void write_first(const CellFacts& cell, const Weights<T>& w, int group, T* to) {
  using V = Vec<T, L>;
  const int unit = group * L;
  V biases[max_slots] = {};
  add_bias(cell.x, w.bias_ih, w.H, unit, biases);
  for (int j = 0; j < cell.stage_count(); ++j) add_bias(cell.stage(j), w.bias_hh, w.H, unit, biases);
  for (int s = 0; s < cell.slots; ++s, to += L) store(to, biases[s]);
  for (int k = 0; k < cell.vector_count(); ++k, to += L)
    store(to, Extent{w.H - unit}.template load_at<V>(w.vectors[k] + unit, 0));
}

// Of a column of a group that lies in several heads: from the weights [K][L] of its units to those of each
// head, with zeros for the units of the others.
template <class T, int L> void part_heads(const Heads& heads, int group, T* weights) {
  const int count = heads.count(group), size = heads.K * L;
  if (count == 1) return;
  for (int i = count - 1; i >= 0; --i)  // the first one lies where all have been
    for (int k = 0; k < size; ++k)
      weights[i * size + k] = (group * L + k % L) / heads.K == heads.first(group) + i ? weights[k] : T{0};
}

template <class T, int L>
void program_pack(const LinkedCell<T>* cell, const Weights<T>& w, void* out, int group_begin, int group_end) {
  const CellFacts& facts = cell->facts;
  const ProgramLayout<T, L> layout(facts, w.I, w.H, w.heads);
  T* const to = static_cast<T*>(out);
  for (int group = group_begin; group < group_end; ++group) {
    write_first<T, L>(facts, w, group, to + layout.first(group, 0));
    int i = 0;
    for (const Kind& kind : layout.kinds()) {
      for (int s = kind.begin; s < kind.end; ++s) {
        const std::ptrdiff_t column = std::ptrdiff_t{group} * kind.count() + s - kind.begin;
        const auto pack_one = [&](const Feed& feed, const T* weights, int K, std::ptrdiff_t at) {
          pack_feed<T, T, L>({0, 1, {feed.gate[s - feed.begin]}}, weights, K, K, w.H, group * L, to + at);
        };
        if (kind.x) pack_one(facts.x, w.ih, w.I, layout.x(i, column));
        if (!kind.h) continue;
        pack_one(facts.stage(kind.stage), w.hh, layout.heads().K, layout.h(i, column));
        part_heads<T, L>(layout.heads(), group, to + layout.h(i, column));
      }
      ++i;
    }
  }
}

// For a step over plain weights: what comes first in every group, one after the other.
template <class T, int L> void program_first(const LinkedCell<T>* cell, const Weights<T>& w, T* out) {
  const int firsts = cell->facts.slots + cell->facts.vector_count();
  for (int group = 0; group * L < w.H; ++group)
    write_first<T, L>(cell->facts, w, group, out + std::ptrdiff_t{group} * firsts * L);
}

}  // namespace
}  // namespace elman
