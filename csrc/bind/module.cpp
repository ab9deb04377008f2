// The extension module: registers what Python may call. Each part checks its arguments, releases the GIL
// and calls the engine; there is no maths here.
#include <pybind11/stl.h>

#include "bind/parts.h"
#include "engine/buffer.h"
#include "engine/dispatch.h"
#include "engine/plan.h"
#include "engine/schedule.h"
#include "engine/threads.h"

namespace elman {
namespace {

Plan make_plan(int T, int B, bool batch_first, bool reverse, const py::object& lengths,
               const py::object& mask, const py::object& reset) {
  const py::ssize_t size = py::ssize_t{T} * B;
  if (T < 0 || B < 0 || size > INT32_MAX) throw py::value_error("T * B: expected 0 to 2147483647");
  Plan::Options options;
  options.T = T;
  options.B = B;
  options.batch_first = batch_first;
  options.reverse = reverse;
  options.lengths = input<int64_t>(lengths, B, "lengths");
  options.mask = input<bool>(mask, size, "mask");
  options.reset = input<bool>(reset, size, "reset");
  for (int b = 0; options.lengths && b < B; ++b)
    if (options.lengths[b] < 0 || options.lengths[b] > T) throw py::value_error("lengths: expected 0 to T");
  const py::gil_scoped_release release;
  return Plan(options);
}

Plan make_packed_plan(const py::object& batch_sizes, bool reverse) {
  const py::ssize_t T = py::len(batch_sizes);
  const int64_t* sizes = input<int64_t>(batch_sizes, T, "batch_sizes");
  int64_t total = 0;
  for (py::ssize_t t = 0; t < T; ++t) {
    total += sizes[t];
    if (sizes[t] < 1 || (t && sizes[t] > sizes[t - 1]) || total > INT32_MAX)
      throw py::value_error("batch_sizes: expected sizes above 0, none above the one before");
  }
  const py::gil_scoped_release release;
  return Plan(sizes, static_cast<int>(T), reverse);
}

py::dict cells() {
  py::dict all;
  for (int i = 0; i < cell_count; ++i) {
    const CellInfo& cell = current_isa().cells[i];
    py::dict one;
    one["gates"] = cell.gates;
    one["slots"] = cell.slots;
    one["states"] = cell.states;
    all[cell.name] = one;
  }
  return all;
}

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const Isa* isa : isas()) names.push_back(isa->name);
  return names;
}

template <class V> py::array_t<V> copy(const V* data, py::ssize_t count) {
  return py::array_t<V>(count, data);
}

// What a plan consists of, for schedules that do not run on this processor.
py::dict plan_arrays(const Plan& plan) {
  const PlanView v = plan.view();
  py::dict d;
  d["alive"] = copy(v.alive, v.steps);
  d["offset"] = copy(v.offset, v.steps + 1);
  d["index"] = copy(v.index, v.offset[v.steps]);
  d["sequence"] = copy(v.sequence, v.rows);
  d["start"] = copy(v.start, v.rows);
  d["finish"] = copy(v.finish, v.rows);
  d["holes"] = copy(plan.holes.data(), static_cast<py::ssize_t>(plan.holes.size()));
  std::vector<int32_t> passed, ended;  // sequences without a step, by what their final state is
  for (const Plan::Idle& idle : plan.idle) (idle.zero ? ended : passed).push_back(idle.sequence);
  d["passed"] = copy(passed.data(), static_cast<py::ssize_t>(passed.size()));
  d["ended"] = copy(ended.data(), static_cast<py::ssize_t>(ended.size()));
  return d;
}

// An array whose memory comes from the engine's blocks, so that a large result finds that of an earlier call,
// with its pages in place, once nobody holds that any more.
py::array empty(const std::vector<py::ssize_t>& shape, const py::dtype& dtype) {
  std::size_t bytes = dtype.itemsize();
  for (const py::ssize_t n : shape) bytes *= n;
  auto block = std::make_unique<Buffer<char>>(bytes);
  char* const data = block->data();
  const py::capsule owner(block.get(), [](void* p) { delete static_cast<Buffer<char>*>(p); });
  block.release();
  return py::array(dtype, shape, data, owner);
}

}  // namespace
}  // namespace elman

PYBIND11_MODULE(_core, m) {
  using namespace elman;
  m.doc() = "elman's engine. The public surface is the package elman.";
  py::class_<Plan>(m, "Plan")
      .def(py::init(&make_plan), py::arg("T"), py::arg("B"), py::arg("batch_first"), py::arg("reverse"),
           py::arg("lengths"), py::arg("mask"), py::arg("reset"))
      .def_static("packed", &make_packed_plan, py::arg("batch_sizes"), py::arg("reverse"))
      .def_readonly("T", &Plan::T)
      .def_readonly("B", &Plan::B)
      .def_readonly("rows", &Plan::rows)
      .def_property_readonly("total", &Plan::total)
      .def("arrays", &plan_arrays);
  m.def("cells", &cells);
  m.def("isas", &isa_names);
  m.def("isa", [] { return current_isa().name; });
  m.def("use_isa", &use_isa);
  m.attr("MOST_THREADS") = most_threads;
  m.def("num_threads", &num_threads);
  m.def("set_num_threads", &set_num_threads);
  m.def(
      "schedule",
      [](int directions, int rows, int steps, int I, int H, int gates, int threads) {
        Work work;
        const Products<float>& p = products<float>(current_isa());
        work.warm = true;
        work.directions = directions;
        work.rows = rows;
        work.steps = steps;
        work.total = int64_t{rows} * steps;
        work.blocks = (H + p.lanes - 1) / p.lanes;
        work.x_bytes = 4.0 * gates * H * I;
        work.h_bytes = 4.0 * gates * H * H;
        work.tile_rows = p.tile_rows;
        work.vector_bytes = 4 * p.lanes;
        const Schedule s = choose_schedule(work, threads);
        return std::make_tuple(s.row_parts, s.unit_parts, s.ahead, s.threads);
      },
      py::arg("directions"), py::arg("rows"), py::arg("steps"), py::arg("I"), py::arg("H"), py::arg("gates"),
      py::arg("threads"));
  m.def(
      "borrow_threads",
      [](std::uintptr_t parallel, std::uintptr_t thread, std::uintptr_t threads) {
        Lender lender;
        lender.parallel = reinterpret_cast<decltype(lender.parallel)>(parallel);
        lender.thread = reinterpret_cast<decltype(lender.thread)>(thread);
        lender.threads = reinterpret_cast<decltype(lender.threads)>(threads);
        borrow_threads(lender);
      },
      py::arg("parallel"), py::arg("thread"), py::arg("threads"));
  m.def("empty", &empty, py::arg("shape"), py::arg("dtype"));
  m.def("measure_peak", [](int threads, const std::string& dtype) {
    const py::gil_scoped_release release;
    return dtype == "float64" ? measure_peak<double>(threads) : measure_peak<float>(threads);
  });
  m.def("measure_bandwidth", [](int threads, std::size_t bytes) {
    const py::gil_scoped_release release;
    return measure_bandwidth(threads, bytes);
  });
  bind_around(m);
  bind_attention(m);
  bind_ctc(m);
  bind_dlpack(m);
  bind_fingerprint(m);
  bind_layer(m);
  bind_optimise(m);
  bind_stepper(m);
}
