// The module of the GPU's scans. Arrays come as addresses on the device.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <string>

#include "bind/gil.h"
#include "cells/cells.h"
#include "cuda/arguments.h"
#include "cuda/element.h"
#include "cuda/launch_scan.h"

namespace elman::cuda {
namespace {

namespace py = pybind11;

template <class... Cell> const CellFacts* const* facts_of(CellList<Cell...>) {
  static constexpr const CellFacts* all[] = {&Cell::facts...};
  return all;
}
const CellFacts& facts_of(int cell) { return *facts_of(Cells{})[cell]; }

int find_cell(const std::string& name) {
  std::string known;
  for (int i = 0; i < Cells::count; ++i) {
    if (facts_of(i).name == name) return i;
    known += (i ? ", " : "") + std::string(facts_of(i).name);
  }
  throw py::value_error("cell: expected one of " + known + ", got '" + name + "'");
}

struct ElementType;

// A schedule and what it was chosen for.
struct Chosen {
  int cell;
  const ElementType* type;
  Task task;
  Schedule schedule;
};

// Where blocks pass values on in global memory, and the stream that the scan takes its turn in.
struct Where {
  uint64_t* words;
  Stream stream;
};

template <class T, class Arguments>
void scan_as(const Chosen& chosen, const std::vector<Arguments>& sides, const Where& where) {
  using Side = decltype(sides[0].template side<T>());
  const int directions = static_cast<int>(sides.size());
  Job<Side> job;
  job.H = chosen.task.H;
  job.y_stride = std::int64_t{directions} * job.H;
  job.words = where.words;
  job.paired = job.H % 2 == 0;
  for (int d = 0; d < directions; ++d) {
    job.side[d] = sides[d].template side<T>();
    job.paired = job.paired && sides[d].paired(sizeof(T));
  }
  const Unlocked unlocked;
  launch_scan(chosen.cell, job, directions, chosen.schedule, where.stream);
}

struct ElementType {
  const char* name;
  Tile tile;
  void (*forward)(const Chosen&, const std::vector<ForwardArguments>&, const Where&);
  void (*backward)(const Chosen&, const std::vector<BackwardArguments>&, const Where&);
};
template <class T> constexpr ElementType element_type(const char* name, const Tile& tile) {
  return {name, tile, scan_as<T, ForwardArguments>, scan_as<T, BackwardArguments>};
}
const ElementType types[] = {element_type<float>("float32", tile_f32), element_type<Tf32>("tf32", tile_tf32),
                             element_type<Half>("float16", tile_16),
                             element_type<Bfloat16>("bfloat16", tile_16)};

const ElementType& find_type(const std::string& name) {
  for (const ElementType& type : types)
    if (type.name == name) return type;
  throw py::value_error("dtype: expected float32, tf32, float16 or bfloat16, got '" + name + "'");
}

Limits limits_here() {
  return limits(reinterpret_cast<const void*>(kernels<float>()->forward[0][0]), most_threads);
}

// [0, 0, clusters of 2 blocks, of 3, ...], where multiprocessors lie in groups of the size of the largest.
std::vector<int> clusters_of(int multiprocessors, int largest) {
  std::vector<int> clusters(largest + 1, 0);
  for (int n = 2; n <= largest; ++n) clusters[n] = multiprocessors / largest * (largest / n);
  return clusters;
}

void check_size(int size, int most, const char* name) {
  if (size < 1 || size > most)
    throw py::value_error(std::string(name) + ": expected 1 to " + std::to_string(most) + ", got " +
                          std::to_string(size));
}

// `machine`: another than this one, as [multiprocessors, shared bytes of a block, blocks of a cluster].
std::vector<Chosen> choose(const std::string& cell, bool backward, const std::string& dtype, int H,
                           int segments, int directions, const std::string& kind,
                           const std::vector<int>& machine) {
  const int index = find_cell(cell);
  const ElementType& type = find_type(dtype);
  // So that a few times as much is an int too.
  check_size(H, 1 << 28, "H");
  check_size(segments, 1 << 30, "segments");
  for (const int size : machine) check_size(size, 1 << 20, "machine");
  if (directions != 1 && directions != 2)
    throw py::value_error("directions: expected 1 or 2, got " + std::to_string(directions));
  Machine on;
  if (machine.empty()) {
    const Limits has = limits_here();
    on = {has.multiprocessors, has.shared_bytes, has.blocks_at_once, has.clusters};
  } else if (machine.size() == 3) {
    on = {machine[0], machine[1], machine[0], clusters_of(machine[0], machine[2])};
  } else {
    throw py::value_error(
        "machine: expected multiprocessors, shared bytes of a block and blocks of a cluster, got " +
        std::to_string(machine.size()) + " numbers");
  }
  const Task task{H, segments, directions, facts_of(index).h.count(), backward, type.tile};
  std::vector<Chosen> chosen;
  for (const Schedule& schedule : schedules_for(task, on, kind))
    chosen.push_back({index, &type, task, schedule});
  return chosen;
}

// The sides that the schedule was chosen for, with all that it needs.
template <class Arguments> std::vector<Arguments> sides_of(const Chosen& chosen, const py::list& given) {
  const Task& task = chosen.task;
  std::vector<Arguments> sides;
  for (const py::handle one : given) {
    if (!py::isinstance<Arguments>(one))
      throw py::type_error(std::string("sides: expected ") + Arguments::name +
                           ", which the schedule is for, got " + std::string(py::repr(one)));
    sides.push_back(one.cast<Arguments>());
    const Arguments& side = sides.back();
    side.check_states(facts_of(chosen.cell));
    if (side.plan.segments > task.segments)
      throw py::value_error("sides: expected plans of at most " + std::to_string(task.segments) +
                            " segments, which the schedule is for, got " +
                            std::to_string(side.plan.segments));
    if ((side.plan.steps > 0) != (sides[0].plan.steps > 0))
      throw py::value_error("sides: expected steps in both plans or in none");
    if (chosen.schedule.kind == Kind::launch && side.plan.steps > 0 && side.carry == 0)
      throw py::value_error(std::string(Arguments::name) +
                            ": carry: expected an address, with the schedule launch, got 0");
  }
  if (static_cast<int>(sides.size()) != task.directions)
    throw py::value_error("sides: expected " + std::to_string(task.directions) +
                          ", one for each direction, got " + std::to_string(sides.size()));
  return sides;
}

void scan(const Chosen& chosen, const py::list& sides, Address words, Address stream) {
  const Where where{pointer<uint64_t>(words), reinterpret_cast<Stream>(stream)};
  if (words == 0 && chosen.schedule.words > 0)
    throw py::value_error("words: expected an address, with the schedule " +
                          std::string(name_of(chosen.schedule.kind)) + ", got 0");
  if (chosen.task.backward) chosen.type->backward(chosen, sides_of<BackwardArguments>(chosen, sides), where);
  else chosen.type->forward(chosen, sides_of<ForwardArguments>(chosen, sides), where);
}

py::dict device() {
  const Limits has = limits_here();
  py::dict d;
  d["name"] = has.name;
  d["multiprocessors"] = has.multiprocessors;
  d["shared_bytes"] = has.shared_bytes;
  d["clusters"] = has.clusters;
  return d;
}

template <class Arguments> void bind_side(py::module_& m) {
  py::class_<Arguments>(m, Arguments::name).def(py::init([](const py::kwargs& given) {
    return Arguments(given);
  }));
}

void bind_schedule(py::module_& m) {
  const auto number = [](auto field) {
    return [field](const Chosen& c) { return c.schedule.layout.*field; };
  };
  py::class_<Chosen>(m, "Schedule")
      .def_property_readonly("kind", [](const Chosen& c) { return name_of(c.schedule.kind); })
      .def_property_readonly("units", number(&Layout::units))
      .def_property_readonly("ranks", number(&Layout::ranks))
      .def_property_readonly("teams", number(&Layout::teams))
      .def_property_readonly("splits", number(&Layout::splits))
      .def_property_readonly("staged", number(&Layout::staged))
      .def_property_readonly("tiles", [](const Chosen& c) { return c.schedule.tiles; })
      .def_property_readonly("shared_bytes", [](const Chosen& c) { return c.schedule.shared_bytes; })
      .def_property_readonly("words", [](const Chosen& c) { return c.schedule.words; })
      .def_property_readonly("microseconds", [](const Chosen& c) { return c.schedule.microseconds; });
}

}  // namespace
}  // namespace elman::cuda

PYBIND11_MODULE(ELMAN_MODULE, m, pybind11::mod_gil_not_used()) {
  using namespace elman;
  using namespace elman::cuda;
  m.doc() = "elman's scans on a GPU. The public surface is the package elman.";
  py::class_<PlanView>(m, "Plan", py::module_local()).def(py::init(&plan_of));
  bind_side<ForwardArguments>(m);
  bind_side<BackwardArguments>(m);
  bind_schedule(m);
  m.def("schedules", &choose, py::arg("cell"), py::arg("backward"), py::arg("dtype"), py::arg("H"),
        py::arg("segments"), py::arg("directions"), py::arg("kind") = "",
        py::arg("machine") = std::vector<int>{});
  m.def("scan", &scan, py::arg("schedule"), py::arg("sides"), py::arg("words"), py::arg("stream"));
  m.def("device", &device);
}
