// The cells and the instruction sets.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "bind/parts.h"
#include "kernels/defined_cells.h"
#include "kernels/dispatch.h"

namespace elman {
namespace {

py::tuple names(const char* const* list, int count) {
  py::tuple all(count);
  for (int i = 0; i < count; ++i) all[i] = list[i];
  return all;
}

// The slots that a product feeds, and the gate behind each.
py::dict feed(const Feed& f) {
  py::dict d;
  d["begin"] = f.begin;
  d["gates"] = py::tuple(py::cast(std::vector<int>(f.gate, f.gate + f.count())));
  return d;
}

py::tuple starts(const double* bias, int count) {
  return py::tuple(py::cast(std::vector<double>(bias, bias + count)));
}

py::dict facts_of(const CellFacts& cell) {
  py::dict one;
  one["slots"] = cell.slots;
  one["states"] = names(cell.states, cell.state_count());
  one["gates"] = names(cell.gates, cell.x_gates());
  one["bias"] = starts(cell.bias, cell.x_gates());
  one["bias_h"] = starts(cell.bias_h, cell.h_gates());
  one["x"] = feed(cell.x);
  one["h"] = feed(cell.h);
  one["vectors"] = names(cell.vectors, cell.vector_count());
  one["scalars"] = names(cell.scalars, cell.scalar_count());
  one["stages"] = cell.stage_count();
  one["draws"] = cell.draws;
  return one;
}

// Those that are compiled.
py::dict cells() {
  py::dict all;
  for (int i = 0; i < current_isa().cell_count; ++i) {
    const CellFacts& cell = *current_isa().cells[i].facts;
    all[cell.name] = facts_of(cell);
  }
  return all;
}

py::tuple operations() {
#define ELMAN_NAME(name, reads) #name,
  static const char* const all[] = {ELMAN_OPERATIONS(ELMAN_NAME)};
#undef ELMAN_NAME
  return names(all, sizeof(all) / sizeof(char*));
}

using FeedGiven =
    std::tuple<int, std::vector<int>>;  // the first slot, and the gate of each slot from there on
// Registers, the places of the slots, for each instruction operation, to, four registers, index, count and
// whether it is for one row, its number, and the statistics that come before: of a variance the number of its
// mean, else -1; its own; columns.
using CodeGiven =
    std::tuple<int, std::vector<int16_t>, std::vector<std::array<int16_t, 9>>, std::vector<double>,
               std::vector<std::tuple<int16_t, int16_t, std::vector<int16_t>, double>>>;

Feed feed_of(const FeedGiven& given) {
  const auto& [begin, gates] = given;
  if (gates.size() > max_slots || begin < 0 || begin > max_slots)
    throw py::value_error("feed: expected at most " + std::to_string(max_slots) + " slots");
  Feed feed{begin, begin + static_cast<int>(gates.size()), {}};
  std::copy(gates.begin(), gates.end(), feed.gate);
  return feed;
}

CellDefinition::Code code_of(const CodeGiven& given) {
  const auto& [registers, place, rows, numbers, statistics] = given;
  if (rows.size() != numbers.size()) throw py::value_error("code: expected a number for each instruction");
  CellDefinition::Code code;
  code.registers = registers;
  code.place = place;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& row = rows[i];
    code.instructions.push_back({static_cast<Operation>(row[0]),
                                 row[1],
                                 {row[2], row[3], row[4], row[5]},
                                 row[6],
                                 row[7],
                                 row[8],
                                 numbers[i]});
  }
  for (const auto& [mean, to, columns, epsilon] : statistics) {
    if (columns.size() > max_slots)
      throw py::value_error("statistics: expected at most " + std::to_string(max_slots) + " columns");
    Statistic one{mean, to, static_cast<int16_t>(columns.size()), {}, epsilon};
    std::copy(columns.begin(), columns.end(), one.column);
    code.statistics.push_back(one);
  }
  return code;
}

std::vector<CellDefinition::Code> codes_of(const std::vector<CodeGiven>& given) {
  std::vector<CellDefinition::Code> all;
  for (const CodeGiven& one : given) all.push_back(code_of(one));
  return all;
}

// `later`: what the products of later stages feed. Programs: one for each stage.
py::dict define(const std::string& name, int slots, int columns, int left, const FeedGiven& x,
                const FeedGiven& h, const std::vector<FeedGiven>& later,
                const std::vector<std::string>& states, const std::vector<std::string>& gates,
                const std::vector<double>& bias, const std::vector<double>& bias_h,
                const std::vector<std::string>& vectors, const std::vector<std::string>& scalars,
                const std::vector<CodeGiven>& forward, const std::vector<CodeGiven>& forward_keep,
                const std::vector<CodeGiven>& backward) {
  std::vector<Feed> feeds;
  for (const FeedGiven& one : later) feeds.push_back(feed_of(one));
  define_cell({name, slots, columns, left, feed_of(x), feed_of(h), feeds, states, gates, vectors, scalars,
               bias, bias_h, codes_of(forward), codes_of(forward_keep), codes_of(backward)});
  return facts_of(*find_cell(current_isa(), name).facts);
}

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const Isa* isa : isas()) names.push_back(isa->name);
  return names;
}

}  // namespace

void bind_kernels(py::module_& m) {
  m.def("cells", &cells);
  m.def("operations", &operations);
  m.def("define_cell", &define, py::arg("name"), py::arg("slots"), py::arg("columns"), py::arg("left"),
        py::arg("x"), py::arg("h"), py::arg("later"), py::arg("states"), py::arg("gates"), py::arg("bias"),
        py::arg("bias_h"), py::arg("vectors"), py::arg("scalars"), py::arg("forward"),
        py::arg("forward_keep"), py::arg("backward"));
  m.def("isas", &isa_names);
  m.def("isa", [] { return current_isa().name; });
  m.def("use_isa", &use_isa);
}

}  // namespace elman
