// Plans, and what the cost model makes of them.
#include "recurrent/plan.h"

#include <pybind11/stl.h>

#include "bind/parts.h"
#include "kernels/dispatch.h"
#include "recurrent/schedule.h"

namespace elman {
namespace {

std::shared_ptr<Plan> make_plan(py::ssize_t T, py::ssize_t B, bool batch_first, bool reverse,
                                const py::object& lengths, const py::object& mask, const py::object& reset) {
  const py::ssize_t size = elements({T, B});
  if (T < 0 || B < 0 || T > INT32_MAX || B > INT32_MAX || size > INT32_MAX)
    throw py::value_error("T, B: expected sizes whose product is at most 2147483647, got " +
                          std::to_string(T) + " and " + std::to_string(B));
  const Copy<int64_t> steps = maybe_copied<int64_t>(lengths, B, "lengths");
  const Copy<bool> taken = maybe_copied<bool>(mask, size, "mask"),
                   begun = maybe_copied<bool>(reset, size, "reset");
  check_within(steps.data(), steps.size(), 0, T, "lengths");
  Plan::Options options;
  options.T = static_cast<int>(T);
  options.B = static_cast<int>(B);
  options.batch_first = batch_first;
  options.reverse = reverse;
  options.lengths = steps.data();
  options.mask = taken.data();
  options.reset = begun.data();
  const Unlocked unlocked;
  return std::make_shared<Plan>(options);
}

std::shared_ptr<Plan> make_packed_plan(const py::array& batch_sizes, bool reverse) {
  const Copy<int64_t> sizes = copied<int64_t>(batch_sizes, batch_sizes.size(), "batch_sizes");
  int64_t total = 0;
  for (std::size_t t = 0; t < sizes.size(); ++t) {
    if (sizes[t] < 1 || sizes[t] > (t ? sizes[t - 1] : INT32_MAX) || (total += sizes[t]) > INT32_MAX)
      throw py::value_error(
          "batch_sizes: expected sizes above 0, none above the one before, of at most 2147483647 in all");
  }
  const Unlocked unlocked;
  return std::make_shared<Plan>(sizes.data(), static_cast<int>(sizes.size()), reverse);
}

template <class V> py::array_t<V> copy(const V* data, py::ssize_t count) {
  return py::array_t<V>(count, data);
}

// What a plan consists of, for schedules that do not run on this processor.
py::dict plan_arrays(const std::shared_ptr<Plan>& held_plan) {
  const Plan& plan = *held_plan;
  const PlanView v = plan.view();
  py::dict d;
  d["alive"] = copy(v.alive, v.steps);
  d["offset"] = copy(v.offset, v.steps + 1);
  d["index"] = copy(v.index, v.offset[v.steps]);
  d["sequence"] = copy(v.sequence, v.segments);
  d["start"] = copy(v.start, v.segments);
  d["finish"] = copy(v.finish, v.segments);
  d["holes"] = copy(plan.holes.data(), static_cast<py::ssize_t>(plan.holes.size()));
  std::vector<int32_t> passed, ended;  // sequences without a step, by what their final state is
  for (const Plan::Idle& idle : plan.idle) (idle.zero ? ended : passed).push_back(idle.sequence);
  d["passed"] = copy(passed.data(), static_cast<py::ssize_t>(passed.size()));
  d["ended"] = copy(ended.data(), static_cast<py::ssize_t>(ended.size()));
  return d;
}

// What a layer in float32 would be parted into, with workers that are awake.
std::tuple<int, int, bool, int> schedule(int directions, int segments, int steps, int I, int H, int gates,
                                         int threads) {
  checked_size(directions, 1, "directions");
  checked_size(segments, 0, "segments");
  checked_size(steps, 0, "steps");
  checked_size(I, 0, "I");
  checked_size(H, 1, "H");
  checked_size(gates, 1, "gates");
  Work work;
  const ProductKernels<float>& p = product_kernels<float>(current_isa());
  work.warm = true;
  work.directions = directions;
  work.segments = segments;
  work.steps = steps;
  work.total = int64_t{segments} * steps;
  work.groups = groups_of<float>(current_isa(), H);
  work.x_bytes = 4.0 * gates * H * I;
  work.h_bytes = 4.0 * gates * H * H;
  work.tile_rows = p.tile_rows;
  work.vector_bytes = 4 * p.lanes;
  const Schedule s = choose_schedule(work, checked_threads(threads), schedule_of_environment());
  return {s.segment_parts, s.unit_parts, s.ahead, s.threads};
}

}  // namespace

void bind_plan(py::module_& m) {
  using Held = std::shared_ptr<Plan>;  // as in bind/arrays.h: what was never made is refused
  py::class_<Plan, Held>(m, "Plan")
      .def(py::init(&make_plan), py::arg("T"), py::arg("B"), py::arg("batch_first"), py::arg("reverse"),
           py::arg("lengths"), py::arg("mask"), py::arg("reset"))
      .def_static("packed", &make_packed_plan, py::arg("batch_sizes"), py::arg("reverse"))
      .def_property_readonly("T", [](const Held& plan) { return plan->T; })
      .def_property_readonly("B", [](const Held& plan) { return plan->B; })
      .def_property_readonly("rows", [](const Held& plan) { return plan->rows; })
      .def_property_readonly("total", [](const Held& plan) { return plan->total(); })
      .def("arrays", &plan_arrays);
  m.def("schedule", &schedule, py::arg("directions"), py::arg("segments"), py::arg("steps"), py::arg("I"),
        py::arg("H"), py::arg("gates"), py::arg("threads"));
}

}  // namespace elman
