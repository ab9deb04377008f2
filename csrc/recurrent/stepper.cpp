#include "recurrent/stepper.h"

#include <algorithm>
#include <cstring>

#include "recurrent/layer.h"

namespace elman {

template <class T>
Stepper<T>::Stepper(std::shared_ptr<const PackedStack<T>> stack, int batch_size, ForcedSchedule wanted)
    : stack_(std::move(stack)),
      plan_(one_step(batch_size)),
      zeros_(zeros<T>(stack_->H)),
      wanted_(wanted),
      alone_(cut(1, true)) {
  cuts_for(num_threads());
  for (int layer = 0; layer < stack_->L; ++layer) layers_.push_back(new_layer());
  for (int now = 0; now < 2; ++now)
    for (int layer = 0; layer < stack_->L; ++layer) jobs_[now].push_back(job(layer, now));
}

template <class T> typename Stepper<T>::Layer Stepper<T>::new_layer() const {
  const std::size_t size = std::size_t(batch_size()) * stack_->H;
  Layer layer;
  for (Buffer<T>& h : layer.h) h = zeros<T>(size);
  for (int k = 1; k < states(); ++k) layer.states[k] = zeros<T>(size);
  const int stages = stack_->facts().stage_count();
  if (least_chunk<T>(*stack_)) layer.slots = Buffer<T>(stack_->facts().columns() * size);
  layer.left = Buffer<T>(stack_->facts().left * size);
  for (int j = 1; j < stages; ++j)
    if (stack_->facts().stage(j).count()) layer.read[j] = Buffer<T>(size);
  return layer;
}

// A layer reads what the one below has just written; the first reads what each step gives.
template <class T> ForwardJob<T> Stepper<T>::job(int layer, int now) const {
  const Layer& own = layers_[layer];
  ForwardJob<T> job;
  job.I = stack_->inputs(layer);
  job.H = stack_->H;
  job.heads = stack_->heads;
  job.plan = plan_->view();
  job.cell = stack_->kernels().cell;
  job.packed = stack_->packed[layer].data();
  job.x = layer ? layers_[layer - 1].h[1 - now].data() : nullptr;
  job.y = own.h[1 - now].data();
  job.y_stride = job.H;
  job.initial[0] = own.h[now].data();
  for (int k = 1; k < states(); ++k) job.initial[k] = job.states[k] = own.states[k].data();
  const int stages = stack_->facts().stage_count();
  job.slots = own.slots.data();
  job.left = own.left.data();
  for (int j = 1; j < stages; ++j) job.read[j] = own.read[j].data();
  job.chunk = least_chunk<T>(*stack_);
  job.zeros = zeros_.data();
  job.turned = now != 0;
  return job;
}

template <class T> Pieces Stepper<T>::cut(int threads, bool warm) const {
  const Work work = measure_step<T>(*stack_, plan_->view(), warm);
  return Pieces(choose_schedule(work, threads, wanted_), {plan_->view()}, work.groups, 1,
                scratch_of<T>(*stack_));
}

// Only a change of the number of threads makes them anew; other steps allocate nothing.
template <class T> auto Stepper<T>::cuts_for(int threads) -> const Cuts& {
  if (!cuts_ || cuts_->threads != threads)
    cuts_.reset(new Cuts{threads, cut(threads, true), cut(threads, false)});
  return *cuts_;
}

// The states beyond h, which a step writes in place.
template <class T> void Stepper<T>::keep_states() {
  const std::size_t size = std::size_t(batch_size()) * stack_->H;
  for (Layer& layer : layers_)
    for (int k = 1; k < states(); ++k) {
      if (!layer.kept[k].size()) layer.kept[k] = Buffer<T>(size);
      std::memcpy(layer.kept[k].data(), layer.states[k].data(), size * sizeof(T));
    }
}

// Gives the streams that skip a step the states they had before the step.
template <class T> void Stepper<T>::go_back(const uint8_t* mask, T* y) {
  const std::size_t H = stack_->H, bytes = H * sizeof(T);
  for (int b = 0; b < batch_size(); ++b) {
    if (mask[b]) continue;
    std::memset(y + b * H, 0, bytes);
    for (Layer& layer : layers_) {
      std::memcpy(layer.h[now_].data() + b * H, layer.h[1 - now_].data() + b * H, bytes);
      for (int k = 1; k < states(); ++k)
        std::memcpy(layer.states[k].data() + b * H, layer.kept[k].data() + b * H, bytes);
    }
  }
}

template <class T> void Stepper<T>::step(const T* x, T* y, const uint8_t* mask, const T* scalars) {
  if (mask) keep_states();
  std::vector<ForwardJob<T>>& jobs = jobs_[now_];
  jobs.front().x = x;
  for (ForwardJob<T>& job : jobs) job.scalars = scalars;
  const Cuts& cuts = cuts_for(num_threads());
  ThreadTeam team(cuts.warm.threads());
  const Pieces& pieces = team.size() < cuts.warm.threads() ? alone_ : team.warm() ? cuts.warm : cuts.cold;
  pieces.run(team, [&](int, const Piece& piece) {
    for (const ForwardJob<T>& job : jobs) stack_->kernels().forward(job, piece);
  });
  now_ = 1 - now_;
  std::memcpy(y, jobs.back().y, std::size_t(batch_size()) * stack_->H * sizeof(T));
  if (mask) go_back(mask, y);
}

template <class T> T* Stepper<T>::state(int layer, int k) const {
  return k ? layers_[layer].states[k].data() : layers_[layer].h[now_].data();
}

template class Stepper<float>;
template class Stepper<double>;

}  // namespace elman
