// Whether the definition of a cell holds together. A program comes out of a file as easily as out of a
// function, so nothing about it is believed.
#include <algorithm>
#include <cmath>

#include "kernels/check_program.h"

namespace elman {
namespace {

void check_count(const CellDefinition& cell, std::size_t count, int least, int most, const char* what) {
  if (count < std::size_t(least) || count > std::size_t(most))
    refuse(cell, std::to_string(least) + " to " + std::to_string(most) + " " + what + ", got " +
                     std::to_string(count));
}

// The rows of a matrix: one gate for each slot that it feeds.
void check_gates(const CellDefinition& cell, const std::vector<Feed>& feeds, int gates) {
  bool seen[max_slots] = {};
  for (const Feed& feed : feeds)
    for (int i = 0; i < feed.count(); ++i) {
      if (feed.gate[i] < 0 || feed.gate[i] >= gates || seen[feed.gate[i]])
        refuse(cell, "a gate for each slot that a product feeds");
      seen[feed.gate[i]] = true;
    }
}

// Slots are ordered by what feeds them: x alone, both, h alone, later stages. Each is fed.
void check_feeds(const CellDefinition& cell) {
  const bool ranges = cell.x.begin == 0 && 0 < cell.x.end && cell.x.end <= cell.slots && 0 <= cell.h.begin &&
                      cell.h.begin <= cell.x.end && cell.x.end <= cell.h.end && cell.h.end <= cell.slots;
  int end = cell.h.end;
  bool follow = true;  // each stage feeds the slots behind those of the one before
  for (const Feed& feed : cell.later) {
    follow = follow && feed.begin == end && feed.count() >= 0;
    end = feed.end;
  }
  if (!ranges || !follow || end != cell.slots)
    refuse(cell, "slots that x feeds first, then h, then each stage, and all of them");
  std::vector<Feed> recurrent{cell.h};
  recurrent.insert(recurrent.end(), cell.later.begin(), cell.later.end());
  const int h_gates = cell.slots - cell.h.begin;
  check_gates(cell, {cell.x}, cell.x.count());
  check_gates(cell, recurrent, h_gates);
  if (cell.gates.size() != std::size_t(cell.x.count()) || cell.bias.size() != cell.gates.size() ||
      cell.bias_h.size() != std::size_t(h_gates))
    refuse(cell, "a name and the start of a bias for each gate");
  for (const auto* starts : {&cell.bias, &cell.bias_h})
    for (const double start : *starts)
      if (!std::isfinite(start)) refuse(cell, "finite starts of biases");
}

}  // namespace

void check_definition(const CellDefinition& cell) {
  if (cell.name.empty()) refuse(cell, "a name");
  check_count(cell, std::size_t(std::max(cell.slots, 0)), 1, max_slots, "slots");
  check_count(cell, cell.states.size(), 1, max_states, "states");
  check_count(cell, cell.vectors.size(), 0, max_vectors, "vectors");
  check_count(cell, cell.scalars.size(), 0, max_scalars, "scalars");
  check_count(cell, cell.later.size() + 1, 1, max_stages, "stages");
  check_count(cell, std::size_t(std::max(cell.columns, 0)), cell.slots, max_columns, "columns");
  check_count(cell, std::size_t(std::max(cell.left, -1)), 0, max_columns, "columns within a step");
  check_feeds(cell);
  const std::size_t stages = cell.elementwise() ? elementwise_programs : cell.later.size() + 1;
  if (cell.elementwise() && cell.h.count()) refuse(cell, "an elementwise cell without a recurrent product");
  for (const auto* programs : {&cell.forward, &cell.forward_keep, &cell.backward})
    if (programs->size() != stages) refuse(cell, "a program for each stage");
  Left buffer, tape;  // without a tape, and with it
  const auto walk = [&](const auto& programs, Way way, std::size_t stage, Left& left) {
    check_program(cell, programs[stage], way, static_cast<int>(stage), left);
  };
  for (std::size_t stage = 0; stage < stages; ++stage) {
    walk(cell.forward, Way::there, stage, buffer);
    walk(cell.forward_keep, Way::there_with_tape, stage, tape);
  }
  if (buffer.carried != tape.carried) refuse(cell, "the same states carried with a tape and without");
  if (buffer.statistics != tape.statistics) refuse(cell, "the same statistics with a tape and without");
  tape.left.clear();
  tape.once.clear();
  for (std::size_t stage = stages; stage-- > 0;) walk(cell.backward, Way::back, stage, tape);
}

}  // namespace elman
