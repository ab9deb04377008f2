// The backward pass, from the last layer to the first. Each layer takes its steps in chunks, from the last to
// the first: the scan turns a chunk's tape into gradients of the slots, and the products with them follow
// while they are still in a cache.
#include <optional>
#include <vector>

#include "recurrent/again.h"
#include "recurrent/direction.h"

namespace elman {
namespace {

template <class T> class BackwardPass {
 public:
  explicit BackwardPass(const BackwardCall<T>& call)
      : call_(call),
        stack_(*call.packed),
        plans_(views(call.plans)),
        zeros_(zeros<T>(stack_.H)),
        team_(num_threads()) {}

  void run() {
    clear_initial();
    const T* dy = call_.dy;
    for (int k = stack_.L - 1; k >= call_.first; --k) {
      T* const dx = k > call_.first ? spare(k % 2) : call_.dx;
      run_layer({k, input(k), call_.tape.y(k), dy}, dx);
      if (dx && k && !call_.dropout.empty()) drop(dx, call_.dropout[k - 1], dx, numbers(), team_);
      dy = dx;
    }
  }

 private:
  std::size_t numbers() const { return std::size_t(call_.plans[0]->rows) * stack_.width(); }

  T* spare(int i) {
    if (!spare_[i]) spare_[i].emplace(numbers());
    return spare_[i]->data();
  }

  // A reset can cut a sequence off from every gradient, and a layer below `first` gets none. The gradient of
  // its initial state stays zero.
  void clear_initial() {
    const std::size_t size = std::size_t(stack_.parts()) * call_.plans[0]->B * stack_.H;
    for (int k = 0; k < stack_.facts().state_count(); ++k)
      if (call_.dinitial[k]) std::memset(call_.dinitial[k], 0, size * sizeof(T));
  }

  void clear(T* numbers, int64_t count) {
    share_moving(team_, double(count) * sizeof(T), count, [&](int64_t begin, int64_t end) {
      std::memset(numbers + begin, 0, (end - begin) * sizeof(T));
    });
  }

  // What a layer has read.
  const T* input(int layer) {
    if (layer == 0) return call_.x;
    const T* const below = call_.tape.y(layer - 1);
    if (call_.dropout.empty()) return below;
    if (!input_) input_.emplace(numbers());
    drop(below, call_.dropout[layer - 1], input_->data(), numbers(), team_);
    return input_->data();
  }

  // `dx`: of the layer's input, null where nobody wants it.
  void run_layer(const LayerBack<T>& layer, T* dx) {
    const CellFacts& cell = stack_.facts();
    const int I = stack_.inputs(layer.layer);
    const Work work = measure_backward<T>(stack_, plans_, team_.warm());
    const Schedule schedule = choose_schedule(work, team_.size(), call_.wanted);
    const int chunk = cell.elementwise ? chunk_elementwise(work, schedule) : 1;
    const Pieces pieces(schedule, plans_, work.groups, chunk, scratch_of<T>(stack_));

    const bool warm = work.warm || schedule.threads > 1;
    std::vector<Direction<T>> directions;
    directions.reserve(stack_.D);
    for (int d = 0; d < stack_.D; ++d) directions.emplace_back(call_, layer, d, zeros_.data(), warm, chunk);
    const Checkpoints* const checkpoints = call_.tape.checkpoints;
    std::optional<Again<T>> again;
    if (checkpoints) {
      T* const y = call_.tape.y(layer.layer);
      again.emplace(call_, plans_, layer.layer, layer.x, y, zeros_.data(), team_);
    }
    // Two directions reach a step in different chunks, so both add.
    const bool add = stack_.D > 1;
    const Plan& plan = *call_.plans[0];
    if (dx && add) clear(dx, plan.rows * I);
    if (dx && !add) clear_rows(dx, I, I, plan.holes, team_);

    const Spans spans(plans_.front(), work.directions * work.groups, cell.recurrent_slots() * stack_.head(),
                      schedule.threads);
    int stretch = checkpoints ? checkpoints->count() : 0;
    for (int begin, end = work.steps; end > 0; end = begin) {
      if (stretch && end == checkpoints->end(stretch - 1)) {
        again->run(--stretch, team_, pauses_);
        for (Direction<T>& direction : directions) direction.place(again->tape(), 0);
      }
      begin = chunk_begin(plans_.front(), end, entry_bytes<T>(stack_));
      for (Direction<T>& direction : directions) direction.begin_chunk(begin, end);
      for (int first, last = end; last > begin; last = first) {
        pauses_.pause_if_due();
        first = spans.begin(last, begin);
        for (Direction<T>& direction : directions) direction.set_steps(first, last);
        pieces.run(team_, [&](int d, const Piece& piece) { directions[d].scan(piece); });
      }
      for (Direction<T>& direction : directions) direction.set_steps(begin, end);
      for (Direction<T>& direction : directions) {
        pauses_.pause_if_due();
        if (!call_.plain.empty()) direction.state_gradient(team_);
        if (dx) direction.input_gradient(dx, add, team_);
        if (direction.wanted()) direction.weight_gradients(team_);
        direction.extra_gradients(team_);
      }
    }
    for (const Direction<T>& direction : directions)
      if (direction.wanted()) direction.finish();
  }

  const BackwardCall<T>& call_;
  const PackedBackStack<T>& stack_;
  const std::vector<PlanView> plans_;
  const Buffer<T> zeros_;
  ThreadTeam team_;
  Pauses pauses_;
  std::optional<Buffer<T>> spare_[2], input_;  // gradients between two layers; an input made again
};

}  // namespace

template <class T> void run_backward(const BackwardCall<T>& call) { BackwardPass<T>(call).run(); }

template void run_backward(const BackwardCall<float>&);
template void run_backward(const BackwardCall<double>&);

}  // namespace elman
