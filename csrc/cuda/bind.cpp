// The module of the GPU's scans. Arrays come as addresses on the device: whoever holds them (elman.torch) has
// checked them, and worded every refusal.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <map>
#include <string>

#include "bind/gil.h"
#include "cuda/cells.h"
#include "cuda/element.h"
#include "cuda/run.h"

namespace elman::cuda {
namespace {

namespace py = pybind11;

// The address under `name`, null where there is none.
template <class V> V* address(const py::dict& d, const char* name) {
  return d.contains(name) ? reinterpret_cast<V*>(d[name].cast<std::uintptr_t>()) : nullptr;
}
template <class V> void addresses(const py::dict& d, const char* name, V** to, int count) {
  if (!d.contains(name)) return;
  const auto list = d[name].cast<std::vector<std::uintptr_t>>();
  for (int k = 0; k < count && k < static_cast<int>(list.size()); ++k) to[k] = reinterpret_cast<V*>(list[k]);
}

PlanView plan_at(const py::dict& side) {
  const py::dict d = side["plan"];
  PlanView v;
  v.steps = d["steps"].cast<int>();
  v.segments = d["rows"].cast<int>();
  v.alive = address<int32_t>(d, "alive");
  v.offset = address<int64_t>(d, "offset");
  v.index = address<int32_t>(d, "index");
  v.start = address<int32_t>(d, "start");
  v.finish = address<int32_t>(d, "finish");
  return v;
}

template <class T> void read(const py::dict& d, int states, ForwardSide<T>& side) {
  side.plan = plan_at(d);
  side.products = address<const T>(d, "products");
  side.weight = address<const T>(d, "weight");
  side.bias = address<const T>(d, "bias");
  side.y = address<T>(d, "y");
  addresses(d, "initial", side.initial, states);
  addresses(d, "final", side.final, states);
  side.slots = address<T>(d, "slots");
  side.memory = address<float>(d, "memory");
  side.carry = address<float>(d, "carry");
}

template <class T> void read(const py::dict& d, int states, BackwardSide<T>& side) {
  side.plan = plan_at(d);
  side.weight = address<const T>(d, "weight");
  side.y = address<const T>(d, "y");
  side.dy = address<const T>(d, "dy");
  addresses(d, "initial", side.initial, states);
  addresses(d, "dfinal", side.dfinal, states);
  addresses(d, "dinitial", side.dinitial, states);
  side.slots = address<T>(d, "slots");
  side.memory = address<const float>(d, "memory");
  side.carry = address<float>(d, "carry");
}

int find_cell(const std::string& name) {
  const auto& all = cell_shapes();
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].name == name) return static_cast<int>(i);
  throw py::value_error("cell: unknown, '" + name + "'");
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

const std::map<std::string, Tile> tiles{
    {"float32", tile_f32}, {"tf32", tile_tf32}, {"float16", tile_16}, {"bfloat16", tile_16}};

// `machine`: another than this one, as [multiprocessors, shared bytes of a block, blocks of a cluster].
Schedule schedule_of(const std::string& cell, bool backward, const std::string& dtype, int H, int rows,
                     int directions, const std::string& kind, const std::vector<int>& machine) {
  const CellShape& shape = cell_shapes()[find_cell(cell)];
  const Task task{H, rows, directions, shape.h.count(), backward, tiles.at(dtype)};
  if (machine.empty()) {
    const Limits has = limits_here();
    return choose_schedule(task, {has.multiprocessors, has.shared_bytes, has.blocks_at_once, has.clusters},
                           kind);
  }
  const int count = machine.at(0), shared_bytes = machine.at(1);
  return choose_schedule(task, {count, shared_bytes, count, clusters_of(count, machine.at(2))}, kind);
}

template <class Side>
void scan_as(const std::string& cell, int H, std::int64_t y_stride, bool whole, const py::list& sides,
             const Schedule& schedule, std::uintptr_t words, std::uintptr_t stream) {
  const int index = find_cell(cell), directions = static_cast<int>(sides.size());
  if (directions < 1 || directions > 2) throw py::value_error("sides: expected one or two");
  Job<Side> job;
  job.H = H;
  job.whole = whole;
  job.y_stride = y_stride;
  job.words = reinterpret_cast<uint64_t*>(words);
  for (int d = 0; d < directions; ++d)
    read(sides[d].cast<py::dict>(), cell_shapes()[index].states, job.side[d]);
  const Unlocked unlocked;
  run(index, job, directions, schedule, reinterpret_cast<Stream>(stream));
}

void scan(const std::string& cell, const std::string& dtype, bool backward, int H, std::int64_t y_stride,
          bool whole, const py::list& sides, const Schedule& schedule, std::uintptr_t words,
          std::uintptr_t stream) {
  const auto call = [&](auto zero) {
    using T = decltype(zero);
    const auto as = backward ? scan_as<BackwardSide<T>> : scan_as<ForwardSide<T>>;
    as(cell, H, y_stride, whole, sides, schedule, words, stream);
  };
  if (dtype == "float32") call(float{});
  else if (dtype == "tf32") call(Tf32{});
  else if (dtype == "float16") call(Half{});
  else if (dtype == "bfloat16") call(Bfloat16{});
  else throw py::value_error("dtype: expected float32, tf32, float16 or bfloat16, got " + dtype);
}

py::dict feed(const Feed& f) {
  py::dict d;
  d["begin"] = f.begin;
  d["gates"] = std::vector<int>(f.gate, f.gate + f.count());
  return d;
}

py::dict cells() {
  py::dict all;
  for (const CellShape& shape : cell_shapes()) {
    py::dict d;
    d["slots"] = shape.slots;
    d["states"] = shape.states;
    d["gates"] = shape.gates;
    d["x"] = feed(shape.x);
    d["h"] = feed(shape.h);
    all[shape.name.c_str()] = d;
  }
  return all;
}

}  // namespace
}  // namespace elman::cuda

PYBIND11_MODULE(ELMAN_MODULE, m) {
  using namespace elman::cuda;
  m.doc() = "elman's scans on a GPU. The public surface is the package elman.";
  py::class_<Schedule>(m, "Schedule")
      .def_property_readonly("kind", [](const Schedule& s) { return name_of(s.kind); })
      .def_property_readonly("units", [](const Schedule& s) { return s.layout.units; })
      .def_property_readonly("ranks", [](const Schedule& s) { return s.layout.ranks; })
      .def_property_readonly("teams", [](const Schedule& s) { return s.layout.teams; })
      .def_property_readonly("splits", [](const Schedule& s) { return s.layout.splits; })
      .def_property_readonly("chunk", [](const Schedule& s) { return s.layout.chunk; })
      .def_readonly("tiles", &Schedule::tiles)
      .def_readonly("shared_bytes", &Schedule::shared_bytes)
      .def_readonly("words", &Schedule::words)
      .def_readonly("microseconds", &Schedule::microseconds);
  m.def("schedule", &schedule_of, py::arg("cell"), py::arg("backward"), py::arg("dtype"), py::arg("H"),
        py::arg("rows"), py::arg("directions"), py::arg("kind") = "",
        py::arg("machine") = std::vector<int>{});
  m.def("scan", &scan, py::arg("cell"), py::arg("dtype"), py::arg("backward"), py::arg("H"),
        py::arg("y_stride"), py::arg("whole"), py::arg("sides"), py::arg("schedule"), py::arg("words"),
        py::arg("stream"));
  m.def("cells", &cells);
  m.def("device", [] {
    const Limits has = limits_here();
    py::dict d;
    d["name"] = has.name;
    d["multiprocessors"] = has.multiprocessors;
    d["shared_bytes"] = has.shared_bytes;
    d["clusters"] = has.clusters;
    return d;
  });
}
