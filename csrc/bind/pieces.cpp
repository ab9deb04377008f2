// Who would compute what on any number of threads, without running it: for bench.scaling.
#include "recurrent/pieces.h"

#include <pybind11/stl.h>

#include "bind/parts.h"
#include "bind/tape.h"
#include "recurrent/layer.h"
#include "tile/outer_share.h"

namespace elman {
namespace {

enum class Pass { forward, backward, step };

Pass checked_pass(const std::string& word) {
  if (word == "forward") return Pass::forward;
  if (word == "backward") return Pass::backward;
  if (word == "step") return Pass::step;
  throw py::value_error("pass: expected forward, backward or step, got '" + word + "'");
}

// The pieces of each thread in its order: direction, first segment, stride, segments, groups of units, and
// which team the thread meets at every step.
py::list dealt(const Pieces& pieces, int unit_parts) {
  py::list threads;
  for (int thread = 0; thread < pieces.threads(); ++thread) {
    py::list own;
    pieces.of_thread(thread, [&](int direction, const Piece& p) {
      own.append(py::make_tuple(direction, p.segment_begin, p.segment_stride, p.segments, p.group_begin,
                                p.group_end, thread / unit_parts));
    });
    threads.append(own);
  }
  return threads;
}

template <class T>
py::dict cut(const Stack& stack, int layer, Pass pass, const PlanList& plans, int threads) {
  std::vector<PlanView> views;
  for (const auto& plan : plans) views.push_back(plan->view());
  const Work work = pass == Pass::forward    ? measure_forward<T>(stack, layer, views, true)
                    : pass == Pass::backward ? measure_backward<T>(stack, views, true)
                                             : measure_step<T>(stack, views.front(), true);
  const Schedule schedule = choose_schedule(work, threads, schedule_of_environment());
  py::list chunks;
  for (int begin, end = work.steps; pass == Pass::backward && end > 0; end = begin) {
    begin = chunk_begin(views.front(), end, entry_bytes<T>(stack));
    chunks.append(py::make_tuple(begin, end));
  }
  py::dict d;
  d["segment_parts"] = schedule.segment_parts;
  d["unit_parts"] = schedule.unit_parts;
  d["ahead"] = chunk_ahead(work, schedule);
  d["threads"] = schedule.threads;
  d["meetings"] = work.meetings;
  d["groups"] = work.groups;
  d["tile_rows"] = work.tile_rows;
  d["lanes"] = product_kernels<T>(stack.isa).lanes;
  d["pieces"] = dealt(Pieces(schedule, views, work.groups, 1, scratch_of<T>(stack)), schedule.unit_parts);
  d["chunks"] = chunks;
  return d;
}

py::dict pieces(const std::string& cell, const std::string& dtype, int I, int H, int layers, int layer,
                const std::string& pass, const PlanList& plans, int threads) {
  const int D = static_cast<int>(plans.size());
  for (const auto& [value, name] : {std::pair{I, "I"}, {H, "H"}, {layers, "layers"}, {D, "plans"}})
    checked_size(value, 1, name);
  checked_size(elements({layers, D, H}), 1, "layers");
  check_plans(plans);
  if (layer < 0 || layer >= layers)
    throw py::value_error("layer: expected one of " + std::to_string(layers) + ", got " +
                          std::to_string(layer));
  const Isa& isa = current_isa();
  const Stack stack{isa, find_cell(isa, cell), I, H, layers, D};
  const Pass checked = checked_pass(pass);
  checked_threads(threads);
  if (dtype == "float64") return cut<double>(stack, layer, checked, plans, threads);
  if (dtype == "float32") return cut<float>(stack, layer, checked, plans, threads);
  throw py::value_error("dtype: expected float32 or float64, got '" + dtype + "'");
}

// On how many threads a product of so many multiply-adds runs.
int product_threads(double multiply_adds, int lanes, int threads) {
  return threads_for_product(multiply_adds, checked_size(lanes, 1, "lanes"), checked_threads(threads), true);
}

// On how many threads so many bytes are copied or cleared.
int moving_threads(double bytes, int threads) {
  return threads_for_streaming(bytes, checked_threads(threads), true);
}

// How these share the gradients of weights: parts of the slots' columns, and of the inputs' columns.
std::pair<int, int> gradient_parts(int M, int N, int groups, int threads) {
  const OuterGrid grid = outer_grid(checked_size(M, 1, "M"), checked_size(N, 1, "N"),
                                    checked_size(groups, 1, "groups"), checked_threads(threads));
  return {grid.across, grid.along};
}

}  // namespace

void bind_pieces(py::module_& m) {
  m.def("pieces", &pieces, py::arg("cell"), py::arg("dtype"), py::arg("I"), py::arg("H"), py::arg("layers"),
        py::arg("layer"), py::arg("pass_"), py::arg("plans"), py::arg("threads"));
  m.def("product_threads", &product_threads, py::arg("multiply_adds"), py::arg("lanes"), py::arg("threads"));
  m.def("moving_threads", &moving_threads, py::arg("bytes"), py::arg("threads"));
  m.def("gradient_parts", &gradient_parts, py::arg("M"), py::arg("N"), py::arg("groups"), py::arg("threads"));
}

}  // namespace elman
