#include "recurrent/stepper.h"

#include <algorithm>
#include <cstring>

namespace elman {
namespace {

Plan::Options one_step(int batch_size) {
  Plan::Options options;
  options.T = 1;
  options.B = batch_size;
  return options;
}

template <class Layer, class T>
std::vector<Layer> make_layers(std::vector<std::shared_ptr<Packed<T>>> stack, int batch_size) {
  std::vector<Layer> layers(stack.size());
  for (size_t l = 0; l < stack.size(); ++l) {
    const std::size_t size = std::size_t(batch_size) * stack[l]->H;
    for (Buffer<T>& h : layers[l].h) h = zeros<T>(size);
    for (int k = 1; k < stack[l]->info().state_count(); ++k) layers[l].states[k] = zeros<T>(size);
    layers[l].packed = std::move(stack[l]);
  }
  return layers;
}

}  // namespace

template <class T>
Stepper<T>::Stepper(std::vector<std::shared_ptr<Packed<T>>> stack, int batch_size)
    : plan_(one_step(batch_size)),
      layers_(make_layers<Layer>(std::move(stack), batch_size)),
      zeros_(zeros<T>(hidden_size())),
      warm_(cut(num_threads(), true)),
      cold_(cut(num_threads(), false)),
      alone_(cut(1, true)) {
  for (Layer& layer : layers_) {
    ForwardJob<T>& job = layer.job;
    job.I = layer.packed->I;
    job.H = layer.packed->H;
    job.plan = plan_.view();
    job.packed = layer.packed->data.data();
    job.y_stride = job.H;
    job.zeros = zeros_.data();
    for (int k = 1; k < states(); ++k) job.initial[k] = job.states[k] = layer.states[k].data();
  }
}

template <class T> Pieces Stepper<T>::cut(int threads, bool warm) const {
  // All layers share one parting: a thread that has some rows of one layer then has them of every layer.
  const Packed<T>& last = *layers_.back().packed;
  const CellFacts& cell = last.info();
  const ProductKernels<T>& p = product_kernels<T>(last.isa);
  Work work;
  work.rows = plan_.B;
  work.warm = warm;
  work.steps = 1;
  work.total = plan_.B;
  work.groups = (last.H + p.lanes - 1) / p.lanes;
  work.tile_rows = p.tile_rows;
  work.vector_bytes = p.lanes * int{sizeof(T)};
  for (const Layer& layer : layers_) {
    work.x_bytes += double(cell.x.count()) * layer.packed->I * last.H * sizeof(T);
    work.h_bytes += double(cell.h.count()) * last.H * last.H * sizeof(T);
  }
  return Pieces(choose_schedule(work, threads), {plan_.view()}, work.groups, [](int rows) { return rows; });
}

template <class T> void Stepper<T>::step(const T* x, T* y) {
  for (Layer& layer : layers_) {
    layer.job.x = x;
    layer.job.initial[0] = layer.h[now_].data();
    x = layer.job.y = layer.h[1 - now_].data();
    layer.job.turned = now_ != 0;
  }
  ThreadTeam team(std::min(warm_.threads(), num_threads()));
  const Pieces& pieces = team.size() < warm_.threads() ? alone_ : team.warm() ? warm_ : cold_;
  pieces.run(team, [&](int, const Piece& piece) {
    for (const Layer& layer : layers_) layer.packed->kernels().forward(layer.job, piece);
  });
  now_ = 1 - now_;
  std::memcpy(y, x, std::size_t(batch_size()) * hidden_size() * sizeof(T));
}

template <class T> T* Stepper<T>::state(int layer, int k) {
  return k ? layers_[layer].states[k].data() : layers_[layer].h[now_].data();
}

template class Stepper<float>;
template class Stepper<double>;

}  // namespace elman
