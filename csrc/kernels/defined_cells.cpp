#include "kernels/defined_cells.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>

#include "kernels/dispatch.h"

namespace elman {
namespace {

bool same(const CellDefinition::Code& a, const CellDefinition::Code& b) {
  const auto alike = [](const Instruction& i, const Instruction& j) {
    return i.operation == j.operation && i.to == j.to && std::equal(i.from, i.from + 4, j.from) &&
           i.index == j.index && i.count == j.count && i.once == j.once &&
           std::memcmp(&i.number, &j.number, sizeof i.number) == 0;
  };
  const auto equal = [](const Statistic& i, const Statistic& j) {
    return i.mean == j.mean && i.epsilon == j.epsilon && i.to == j.to && i.count == j.count &&
           std::equal(i.column, i.column + i.count, j.column);
  };
  return a.registers == b.registers && a.place == b.place &&
         std::equal(a.statistics.begin(), a.statistics.end(), b.statistics.begin(), b.statistics.end(),
                    equal) &&
         std::equal(a.instructions.begin(), a.instructions.end(), b.instructions.begin(),
                    b.instructions.end(), alike);
}

bool same(const std::vector<CellDefinition::Code>& a, const std::vector<CellDefinition::Code>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const CellDefinition::Code& i, const CellDefinition::Code& j) { return same(i, j); });
}

bool same(const Feed& a, const Feed& b) {
  return a.begin == b.begin && a.end == b.end && std::equal(a.gate, a.gate + a.count(), b.gate);
}

bool same(const CellDefinition& a, const CellDefinition& b) {
  const auto alike = [](const Feed& i, const Feed& j) { return same(i, j); };
  return a.slots == b.slots && a.columns == b.columns && a.left == b.left && same(a.x, b.x) &&
         same(a.h, b.h) &&
         std::equal(a.later.begin(), a.later.end(), b.later.begin(), b.later.end(), alike) &&
         a.states == b.states && a.gates == b.gates && a.vectors == b.vectors && a.scalars == b.scalars &&
         a.bias == b.bias && a.bias_h == b.bias_h && same(a.forward, b.forward) &&
         same(a.forward_keep, b.forward_keep) && same(a.backward, b.backward);
}

template <class T> struct LinkedFor {
  std::vector<Linked<T>> code;
  LinkedCell<T> cell;
};

// A cell, and what each instruction set makes of it. Nothing in it moves.
struct Defined {
  explicit Defined(const CellDefinition& definition_) : definition(definition_) {
    const CellDefinition& d = definition;
    facts.name = d.name.c_str();
    facts.slots = d.slots;
    facts.x = d.x;
    facts.h = d.h;
    facts.more_columns = d.columns - d.slots;
    facts.left = d.left;
    std::copy(d.later.begin(), d.later.end(), facts.later);
    names(d.states, facts.states);
    names(d.gates, facts.gates);
    names(d.vectors, facts.vectors);
    names(d.scalars, facts.scalars);
    std::copy(d.bias.begin(), d.bias.end(), facts.bias);
    std::copy(d.bias_h.begin(), d.bias_h.end(), facts.bias_h);
    const auto draws = [](const Instruction& i) { return i.operation == Operation::load_random; };
    ProgramCell programs{&facts, {}, {}, {}};
    facts.elementwise = d.elementwise();
    if (!facts.elementwise) facts.least_stages = static_cast<int>(d.forward.size());
    else
      for (const Instruction& i : d.forward[1].instructions)
        if (i.operation == Operation::store_state) facts.carried[i.index] = true;
    int first_slot = 0;
    for (std::size_t j = 0; j < d.forward.size(); ++j) {
      const std::vector<Instruction>& code = d.forward[j].instructions;
      facts.draws = facts.draws || std::any_of(code.begin(), code.end(), draws);
      programs.forward[j] = program(d.forward[j], first_slot);
      programs.forward_keep[j] = program(d.forward_keep[j], first_slot);
      programs.backward[j] = program(d.backward[j], 0);
      if (facts.elementwise && j == 1) {
        for (auto* there : {&programs.forward[j], &programs.forward_keep[j]})
          there->affine = affine_of(*there, false);
        programs.backward[j].affine = affine_of(programs.backward[j], true);
      }
      first_slot += static_cast<int>(d.forward[j].place.size());
      facts.statistics += static_cast<int>(d.forward[j].statistics.size());
    }
    for (const Isa* isa : isas()) {
      For& own = sets[isa];
      own.ref.facts = &facts;
      link(programs, *isa->programs_f32, own.f32, own.ref.f32);
      link(programs, *isa->programs_f64, own.f64, own.ref.f64);
    }
  }
  Defined(const Defined&) = delete;

  struct For {
    LinkedFor<float> f32;
    LinkedFor<double> f64;
    CellRef ref;
  };
  const CellDefinition definition;
  CellFacts facts{};
  std::map<const Isa*, For> sets;

 private:
  static void names(const std::vector<std::string>& from, const char** to) {
    for (const std::string& name : from) *to++ = name.c_str();
  }
  static Program program(const CellDefinition::Code& code, int first_slot) {
    Program p{code.instructions.data(), static_cast<int>(code.instructions.size()), code.registers};
    std::copy(code.place.begin(), code.place.end(), p.place + first_slot);
    p.statistics = code.statistics.data();
    p.statistic_count = static_cast<int>(code.statistics.size());
    return p;
  }
  template <class T>
  static void link(const ProgramCell& programs, const ProgramKernels<T>& kernels, LinkedFor<T>& to,
                   CellKernels<T>& ref) {
    std::size_t count = 0;
    for (const auto* of_pass : {&programs.forward, &programs.forward_keep, &programs.backward})
      for (const Program& one : *of_pass) count += one.count;
    to.code.resize(count);
    kernels.link(programs, to.code.data(), &to.cell);
    ref = {kernels.forward, kernels.backward, &to.cell};
  }
};

struct Registry {
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<const Defined>> cells;
};

// Never destroyed: other threads may still run cells when the process ends.
Registry& registry() {
  static Registry& only = *new Registry;
  return only;
}

}  // namespace

void define_cell(const CellDefinition& definition) {
  check_definition(definition);
  const Isa& isa = *isas().front();
  const bool taken = std::any_of(isa.cells, isa.cells + isa.cell_count,
                                 [&](const CellRef& cell) { return definition.name == cell.facts->name; });
  if (taken)
    throw std::invalid_argument("cell " + definition.name + ": expected a name that no compiled cell has");
  auto made = std::make_unique<const Defined>(definition);
  const std::lock_guard<std::mutex> lock(registry().mutex);
  const auto& there = registry().cells.emplace(definition.name, std::move(made)).first->second;
  if (!same(there->definition, definition))
    throw std::invalid_argument("cell " + definition.name + ": expected a name that no other cell has");
}

const CellRef* defined_cell(const Isa& isa, const std::string& name) {
  const std::lock_guard<std::mutex> lock(registry().mutex);
  const auto it = registry().cells.find(name);
  return it == registry().cells.end() ? nullptr : &it->second->sets.at(&isa).ref;
}

}  // namespace elman
