// A stack of forward layers that takes one step per call: weights packed once, state kept, nothing allocated.
#pragma once

#include <atomic>
#include <memory>
#include <stdexcept>
#include <vector>

#include "recurrent/layer.h"
#include "recurrent/pieces.h"

namespace elman {

template <class T> class Stepper {
 public:
  Stepper(std::vector<std::shared_ptr<Packed<T>>> layers, int batch_size);

  // What everybody holds while stepping or touching the state. Two threads at once would leave a state that
  // is neither's: the second is refused.
  class Use {
   public:
    explicit Use(Stepper& stepper) : used_(stepper.used_) {
      if (used_.exchange(true, std::memory_order_acquire))
        throw std::runtime_error(
            "stepper: expected one call at a time, got a second one from another thread; make a stepper for "
            "each thread");
    }
    ~Use() { used_.store(false, std::memory_order_release); }
    Use(const Use&) = delete;

   private:
    std::atomic<bool>& used_;
  };

  // x [B, I] to y [B, H], the last layer's h.
  void step(const T* x, T* y);

  int batch_size() const { return plan_.B; }
  int input_size() const { return layers_.front().packed->I; }
  int hidden_size() const { return layers_.front().packed->H; }
  int layers() const { return static_cast<int>(layers_.size()); }
  int states() const { return layers_.front().packed->info().state_count(); }

  T* state(int layer, int k);  // [B, H]: as the last step left it

 private:
  struct Layer {
    std::shared_ptr<Packed<T>> packed;
    Buffer<T> h[2];                // read and written in turn
    Buffer<T> states[max_states];  // those beyond h, read and written in place
    ForwardJob<T> job;
  };
  Pieces cut(int threads, bool warm) const;

  std::atomic<bool> used_{false};
  Plan plan_;
  std::vector<Layer> layers_;
  int now_ = 0;  // which h holds the state
  Buffer<T> zeros_;
  Pieces warm_, cold_, alone_;  // where the workers are awake, asleep, or serve another call
};

}  // namespace elman
