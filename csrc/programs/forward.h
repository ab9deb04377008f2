// A stage of a cell with programs: the sums of some rows and groups of units go to registers, and the stage's
// program runs over them.
#pragma once

#include "programs/affine.h"
#include "programs/operations.h"
#include "programs/statistics.h"
#include "programs/sums.h"
#include "recurrent/scan.h"
#include "tile/split.h"

namespace elman {
namespace {

// The sums of the slots, over weights that are packed or as the caller's arrays hold them.
template <class T, int L, int Registers> class ProgramSums {
 public:
  static constexpr int most = max_rows<Registers, tile_columns>;  // rows of a tile

  explicit ProgramSums(const ForwardJob<T>& job)
      : job_(job), facts_(job.cell->facts), layout_(facts_, job.I, job.H, job.heads) {}

  const T* first(int group, int i) const {
    return static_cast<const T*>(job_.packed) + layout_.first(group, i);
  }
  std::ptrdiff_t firsts() const { return layout_.firsts(); }
  const Kinds& kinds() const { return layout_.kinds(); }
  const Heads& heads() const { return layout_.heads(); }

  // Where the sums of a slot of a group go, but for those that are computed ahead: a place in a register for
  // the first row, or a column.
  struct Places {
    T* registers;
    const int32_t* place;  // of each slot
    std::ptrdiff_t apart;  // of groups
  };

  // The sums of `groups` groups from `group` on, for `count` rows.
  void run(const Sources<T>& from, int group, int groups, int count, const Places& places) const {
    int k = 0;
    for (const Kind& kind : layout_.kinds()) {
      if (kind.count() && kind.stage == from.stage) of_kind(k, kind, from, group, groups, count, places);
      ++k;
    }
  }

 private:
  using V = Vec<T, L>;
  // A single row has too few accumulators to hide the latency of the multiply-add: it takes twice as many
  // columns.
  static constexpr int alone = 2 * tile_columns;

  // Into its place: the processor would wait for what is written in parts and then copied as a whole.
  void find(Column<T>& c, const Sources<T>& from, const Places& places, int slot, int group, int g) const {
    const int unit = (group + g) * L, place = places.place[slot], number = -1 - place;
    const auto at = [&](int column) { return std::ptrdiff_t{column} * job_.H + unit; };
    c.bias = first(group + g, slot);
    c.rows = nullptr;
    c.at = c.slot = at(slot);
    c.left = job_.H - unit;
    if (from.phase == Phase::ahead) c.rows = from.slots;
    else if (place >= 0) c.to = places.registers + place + g * places.apart;
    else if (number < max_columns) c.rows = from.slots, c.at = at(number);
    else c.rows = from.columns_left, c.at = at(number - max_columns);
  }

  void of_kind(int k, const Kind& kind, const Sources<T>& from, int group, int groups, int count,
               const Places& places) const {
    const bool x = kind.x && from.phase != Phase::after, h = kind.h && from.phase != Phase::ahead;
    if (job_.plain) {
      const Feed& fed = facts_.stage(kind.stage);
      for (int slot = kind.begin; slot < kind.end; ++slot)
        plain_slot(slot, x ? facts_.x.gate[slot] : -1, h ? fed.gate[slot - fed.begin] : -1, from, group,
                   groups, count, places);
    } else {
      // A tile's columns lie in the same heads.
      const Heads& heads = layout_.heads();
      heads.each_alike(group, h ? group + groups : group, [&](int first, int alike) {
        Sources<T> of_heads = from;
        of_heads.head = heads.first(first), of_heads.head_count = heads.count(first);
        packed_slots(k, kind, x, h, of_heads, group, first - group, alike, count, places);
      });
      if (!h) packed_slots(k, kind, x, h, from, group, 0, groups, count, places);
    }
  }

  // Groups from the g-th behind `group` on, over packed weights.
  void packed_slots(int k, const Kind& kind, bool x, bool h, const Sources<T>& from, int group, int g,
                    int groups, int count, const Places& places) const {
    const T* const packed = static_cast<const T*>(job_.packed);
    const std::ptrdiff_t first_column = std::ptrdiff_t{group + g} * kind.count();
    int slot = kind.begin;
    split_evenly(0, groups * kind.count(), count == 1 ? alone : tile_columns, [&](int begin, int width) {
      Column<T> columns[alone];
      for (int w = 0; w < width; ++w) {
        find(columns[w], from, places, slot, group, g);
        if (++slot == kind.end) slot = kind.begin, ++g;
      }
      const T* const x_weights = x ? packed + layout_.x(k, first_column + begin) : nullptr;
      const T* const h_weights = h ? packed + layout_.h(k, first_column + begin) : nullptr;
      in_tiles<alone>(width, count, [&](auto R, auto W, int row) {
        sums_tile<V, R, W>(from, row, columns, x_weights, h_weights);
      });
    });
  }

  // Two groups at a time of one slot; of several rows one (tile/plain.h). A gate of -1: no product.
  __attribute__((noinline)) void plain_slot(int slot, int x_gate, int h_gate, const Sources<T>& from,
                                            int group, int groups, int count, const Places& places) const {
    const int wide = count == 1 ? 2 : 1;
    for (int g = 0; g < groups; g += wide) {
      const int width = groups - g < wide ? 1 : wide, unit = (group + g) * L;
      Column<T> columns[2];
      for (int w = 0; w < width; ++w) find(columns[w], from, places, slot, group, g + w);
      const auto rows = [&](int gate, const T* matrix, int K) {
        if (gate < 0) return UnitRows<T>{nullptr, 0, 0};
        return UnitRows<T>{matrix + (std::ptrdiff_t{gate} * job_.H + unit) * K, K, job_.H - unit};
      };
      const auto x = rows(x_gate, job_.plain->ih, job_.I), h = rows(h_gate, job_.plain->hh, job_.H);
      in_tiles<2>(width, count, [&](auto R, auto W, int row) {
        if constexpr (W == 1 || R == 1) plain_sums_tile<V, R, W>(from, row, columns, x, h);
      });
    }
  }

  // tile(rows, columns, first row) for parts of the rows.
  template <int widest, class Tile> static void in_tiles(int width, int count, const Tile& tile) {
    if (count == 1) {
      return with_constant<widest>(width, [&](auto W) { tile(std::integral_constant<int, 1>{}, W, 0); });
    }
    constexpr int usual = widest < tile_columns ? widest : tile_columns;
    with_constant<usual>(width, [&](auto W) {
      split_evenly(0, count, most,
                   [&](int row, int size) { with_constant<most>(size, [&](auto R) { tile(R, W, row); }); });
    });
  }

  const ForwardJob<T>& job_;
  const CellFacts& facts_;
  const ProgramLayout<T, L> layout_;
};

// What ForwardScan asks of a cell.
template <class T, int L, int Registers> class ProgramForward {
 public:
  static constexpr bool programs = true;
  const bool elementwise;
  const int columns, states, stages;

  ProgramForward(const ForwardJob<T>& job, const Piece& piece)
      : elementwise(job.cell->facts.elementwise),
        columns(job.cell->facts.columns()),
        states(job.cell->facts.state_count()),
        stages(job.cell->facts.stage_count()),
        job_(job),
        cell_(*job.cell),
        piece_(piece),
        sums_(job),
        programs_(job.keep ? cell_.forward_keep : cell_.forward) {
    frame_.registers = static_cast<T*>(piece.scratch);
    frame_.stride = cell_.stride;
    frame_.H = job.H;
    frame_.draws = job.draws.on;
    frame_.statistics = cell_.statistics;
    frame_.vector_next = L;
    frame_.vector_group = sums_.firsts();
    const int all = piece.group_end - piece.group_begin;
    loop_groups_ = all < cell_.block ? all : cell_.block;
    loop_rows_ = loop_groups_ ? cell_.block / loop_groups_ : 1;
  }

  // One step of an elementwise cell's recurrence, which is so few instructions that a division would count.
  void recur(const RowPointers<T>& rows, int begin, int count) {
    if (run_affine<T, L, false>(programs_[1].affine, rows, job_.H, begin, count, piece_.group_begin,
                                piece_.group_end))
      return;
    frame_.rows_of = &rows;
    for (int row = 0; row < count; row += loop_rows_) {
      const int size = count - row < loop_rows_ ? count - row : loop_rows_;
      for (int group = piece_.group_begin; group < piece_.group_end; group += loop_groups_) {
        const int left = piece_.group_end - group;
        execute_at(programs_[1], group, left < loop_groups_ ? left : loop_groups_, begin + row, size);
      }
    }
  }

  // Nothing of a later stage is computed ahead.
  void run(const RowPointers<T>& rows, int count, Phase phase, int stage, bool turned) {
    run_rows(rows, 0, count, stage ? Phase::whole : phase, stage, turned);
  }

  // For `count` rows from `begin` on.
  __attribute__((noinline)) void run_rows(const RowPointers<T>& rows, int begin, int count, Phase phase,
                                          int stage, bool turned) {
    if (elementwise && (count == 0 || (stage && programs_[stage].count == 0))) return;
    if (phase == Phase::ahead) {
      const int groups = piece_.group_end - piece_.group_begin;
      return sums_.run(sources(rows, 0, phase, stage), piece_.group_begin, groups, count,
                       {frame_.registers, programs_[0].place, 0});
    }
    compute_statistics<T, L>(programs_[stage], rows, count, job_.H, cell_.statistics);
    frame_.rows_of = &rows;
    const int at_once = rows_at_once(count, stage);
    split_evenly(piece_.group_begin, piece_.group_end, cell_.block / at_once, [&](int first, int groups) {
      if (turned) first = piece_.group_begin + piece_.group_end - first - groups;
      for (int row = 0; row < count; row += at_once)
        block(sources(rows, begin + row, phase, stage), first, groups, begin + row,
              count - row < at_once ? count - row : at_once);
    });
  }

 private:
  Sources<T> sources(const RowPointers<T>& rows, int row, Phase phase, int stage) const {
    T* const* const read = elementwise ? nullptr : rows.read[stage] + row;
    return {rows.x + row, read,  rows.slots + row, rows.left + row, job_.I, phase,
            job_.keep,    stage, sums_.heads()};
  }

  // As many rows as leave place for enough groups to fill a tile with columns of each kind; whole tiles of
  // them.
  int rows_at_once(int count, int stage) const {
    constexpr int most = ProgramSums<T, L, Registers>::most;
    int groups = 1;
    for (const Kind& kind : sums_.kinds())
      while (kind.stage == stage && groups < tile_columns && kind.count() * groups % tile_columns)
        groups *= 2;
    const int all = piece_.group_end - piece_.group_begin, room = cell_.block / (groups < all ? groups : all);
    return count <= room ? count : room < most ? room : room / most * most;
  }

  // The cell for some rows and groups of units.
  void block(const Sources<T>& from, int group, int groups, int row, int count) {
    const LinkedProgram<T>& program = programs_[from.stage];
    sums_.run(from, group, groups, count, {frame_.registers, program.place, std::ptrdiff_t{count} * L});
    execute_at(program, group, groups, row, count);
  }

  void execute_at(const LinkedProgram<T>& program, int group, int groups, int row, int count) {
    frame_.rows = count;
    frame_.groups = groups;
    frame_.unit = group * L;
    frame_.row = row;
    frame_.vectors = sums_.first(group, cell_.facts.slots);
    execute(program, frame_);
  }

  const ForwardJob<T>& job_;
  const LinkedCell<T>& cell_;
  const Piece& piece_;
  const ProgramSums<T, L, Registers> sums_;
  const LinkedProgram<T>* const programs_;  // of each stage
  Frame<T> frame_;
  int loop_groups_, loop_rows_;  // of the recurrence, at once
};

}  // namespace
}  // namespace elman
